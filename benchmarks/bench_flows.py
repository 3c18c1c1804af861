"""``make bench-flows``: matrix, board, moving and assigning with many people and steps.

PEOPLE x STEPS is the flow that pages show, each cell as far as chance has it; ROLE how many members
get a flow through their role, BULK how many rows are assigned at once; REQUESTS how often each page
is asked for. Pages are answered in this process, as the role of the application, so that times are
the server's own: middleware, rights, SQL and template.
"""

from typing import Any

from benchmarks import options
from benchmarks.processes import MachineLoad
from benchmarks.searching.place import running_place


def bench(asked: dict[str, int]) -> dict[str, Any]:
    """All figures by part."""
    from benchmarks.flows import measures, rows
    from benchmarks.searching.writing import analyse

    people, steps, requests = asked["people"], asked["steps"], asked["requests"]
    load = MachineLoad()
    options.say(f"Writing {people:,} people in a flow of {steps} steps ...")
    place = rows.make_place("pages", people=people, steps=steps)
    rows.assign_role(place)
    # By name, as the pages have them; the first two are those that are moved.
    targets = rows.by_name(place)
    cells = rows.make_progress(targets[2:])
    analyse()
    flow, one, other = place.flow.pk, targets[0], targets[1]
    other.step_of = {step.name: step.key for step in other.revision.steps.all()}
    matrix, board = f"/flows/{flow}/matrix/", "/flows/board/"
    pages = {
        f"matrix, {min(people, 100)} people": matrix,
        f"matrix, {min(people, 500)} people": f"{matrix}?rows=500",
        "matrix by percent": f"{matrix}?sort=percent",
        "matrix, overdue only": f"{matrix}?overdue=1",
        "board": board,
        "board of the flow": f"{board}?flow={flow}",
        "board, overdue only": f"{board}?overdue=1",
    }
    options.say("Pages ...")
    found: dict[str, Any] = {
        name: measures.measure_page(place, path, requests) for name, path in pages.items()
    }
    options.say("What pages ask for when something has moved ...")
    move = measures.mover(place, one, "Step 1")
    for name, page, part in (
        ("matrix refreshed", matrix, f"{matrix}part/"),
        ("matrix of 500 refreshed", f"{matrix}?rows=500", f"{matrix}part/"),
        ("board refreshed", board, f"{board}part/"),
    ):
        found[name] = measures.measure_refresh(place, page, part, move, requests // 2 * 2 + 1)
    options.say("Moves ...")
    found["one step moved"] = measures.measure_moves(place, one, "Step 1", requests // 2 * 2 + 1)
    found["50 at once, one step"] = measures.measure_parallel(place, other, "Step 1")
    options.say("CSV ...")
    csv = measures.measure_csv(place)
    options.say(f"A role of {asked['role']:,} members ...")
    role = measures.measure_role(rows.make_place("role", people=asked["role"], steps=steps))
    options.say(f"{asked['bulk']:,} rows at once ...")
    bulk_place = rows.make_place("bulk", people=asked["bulk"], steps=steps)
    bulk = measures.measure_bulk(bulk_place, asked["bulk"])
    return {
        "bench": "flows",
        **asked,
        "cells": cells,
        "busy_cores": load.cores(),
        "times": found,
        "csv": csv,
        "role": role,
        "bulk": bulk,
    }


def show(found: dict[str, Any]) -> None:
    head = ["what", "p50 ms", "p95 ms", "own CPU ms", "SQL", "bytes"]
    rows = [
        [name, one["p50_ms"], one["p95_ms"], one["cpu_ms"], one.get("queries"), one.get("bytes")]
        for name, one in found["times"].items()
    ]
    options.say("\n" + options.table(head, rows))
    parallel, csv, role, bulk = (
        found["times"]["50 at once, one step"],
        *(found[name] for name in ("csv", "role", "bulk")),
    )
    gaps = "no gap" if parallel["log_without_gaps"] else "GAPS"
    options.say(
        f"\n50 at once from the same page: {parallel['moved']} moved it, {parallel['stale']} were "
        f"told who had; {gaps} in the log."
    )
    options.say(
        f"CSV of {found['cells']:,} cells: {csv['seconds']:.2f} s, {csv['bytes']:,} bytes, the "
        f"first after {csv['first_piece_seconds']:.2f} s, {csv['more_memory_mib']:.0f} MiB more "
        "memory."
    )
    options.say(
        f"A role of {role['targets']:,}: {role['seconds']:.2f} s, {role['queries']} statements."
    )
    options.say(
        f"{bulk['rows']:,} rows: preview {bulk['preview_seconds']:.2f} s, request "
        f"{bulk['request_seconds']:.2f} s, work {bulk['work_seconds']:.2f} s; {bulk['targets']:,} "
        "assignments."
    )
    options.finish(found)


def main() -> None:
    asked = {
        "people": options.number("PEOPLE", 500, least=10, most=20_000),
        "steps": options.number("STEPS", 40, least=2, most=200),
        "role": options.number("ROLE", 1_000, most=50_000),
        "bulk": options.number("BULK", 10_000, most=10_000),
        "requests": options.number("REQUESTS", 30, most=10_000),
    }
    options.say("Starting Postgres and Redis ...")
    with running_place():
        found = bench(asked)
    show(found)


if __name__ == "__main__":
    main()
