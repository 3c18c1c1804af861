"""The tables of ``make bench-search``, its gates, and the line of JSON."""

from typing import Any

from benchmarks import options

MESSAGE_GATE = (6_000, 25.0)  # messages, ms of SQL
LEG_GATES = ((3_000, 5.0), (20_000, 40.0))  # chunks, ms; more have an index
INDEX_GATE = 15.0
RECALL_FLOOR = 0.99


def show(found: dict[str, Any]) -> None:
    """Print it all; the JSON comes last."""
    for part in (_messages, _knowledge, _ingestion):
        part(found)
    gates = gates_of(found)
    options.say("")
    for name, met in gates.items():
        options.say(f"{'met    ' if met else 'NOT MET'}  {name}")
    options.finish({"bench": "search", **found, "gates": gates})


def gates_of(found: dict[str, Any]) -> dict[str, bool]:
    """By their sentences; only those there are figures for."""
    gates: dict[str, bool] = {}
    most, limit = MESSAGE_GATE
    for row in found.get("messages", ()):
        if row["messages"] <= most and row["way"] == "hybrid":
            name = f"search among {row['messages']:,} messages: p50 of SQL at most {limit:g} ms"
            gates[name] = row["sql_p50_ms"] <= limit
    for row in found.get("knowledge", {}).get("searches", ()):
        where = f"{row['stratum']}, {row['path']}"
        gates[f"{where}: recall@10 at least {RECALL_FLOOR}"] = row["recall10"] >= RECALL_FLOOR
        gates[f"{where}: no short results"] = row["short"] == 0
        if limit := _leg_gate(row):
            name = f"{where}: p50 of the vector leg at most {limit:g} ms"
            gates[name] = row["leg_sql_p50_ms"] <= limit
    return gates


def _leg_gate(row: dict[str, Any]) -> float | None:
    """Milliseconds for a measured tenant, by the path it is searched on in the end."""
    if row["path"] == "index":
        return INDEX_GATE
    if not row.get("chunks") or row.get("has_index"):
        return None
    return next((limit for most, limit in LEG_GATES if row["chunks"] <= most), None)


def _messages(found: dict[str, Any]) -> None:
    if rows := found.get("messages"):
        head = ["one person's", "way", "SQL p50 ms", "p99", "whole p50 ms", "p99"]
        cells = [[f"{row['messages']:,} messages", *list(row.values())[1:]] for row in rows]
        options.say("\n" + options.table(head, cells))


def _knowledge(found: dict[str, Any]) -> None:
    known = found.get("knowledge")
    if not known:
        return
    head = ["tenants of", "path", "count", "queries", "recall@10", "worst", "short"]
    head += ["leg SQL p50 ms", "p99", "search SQL p50 ms", "p99", "whole p50 ms", "p99"]
    rows = [list(row.values())[: len(head)] for row in known["searches"]]
    options.say(f"\n{known['chunks']:,} passages of {known['tenants']:,} tenants")
    options.say(options.table(head, rows))
    if known["indexes"]:
        head = ["index over vectors", "build s", "MiB"]
        options.say("\n" + options.table(head, [list(one.values()) for one in known["indexes"]]))
    if anchor := known.get("anchor"):
        options.say(
            f"\nBeside it pgvector's default, one HNSW index over {anchor['rows']:,} vectors of "
            f"all tenants ({anchor['build_s']:.0f} s to build), filtered afterwards:"
        )
        head = ["tenants of", "count", "queries", "recall@10", "short", "SQL p50 ms", "p99"]
        options.say(options.table(head, [list(one.values()) for one in anchor["strata"]]))


def _ingestion(found: dict[str, Any]) -> None:
    one = found.get("ingestion")
    if not one:
        return
    stages = ", ".join(f"{name} {spent:.1f} s" for name, spent in one["stages_s"].items())
    memory = one["worker_rss_mib"]
    how = "embedded by MiniLM" if one["embedded"] else "not embedded: no model on this machine"
    options.say(
        f"\nA PDF of {one['pages']} pages: {one['pages_a_second']:.1f} pages a second, "
        f"{one['chunks']} passages ({how}) in {one['seconds']:.1f} s ({stages}), "
        f"{one['cpu_s']:.1f} s of CPU. The worker's memory: {memory['before']:.0f} MiB before, "
        f"{memory['most']:.0f} at most with the process that parses, {memory['after']:.0f} after."
    )
