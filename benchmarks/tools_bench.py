"""``make bench-tools``: what one more step with a tool costs, and one more agent.

A worker answers turns one at a time; its model (``benchmarks.tools_model``) answers at once, so the
times and the CPU are our own. Each is compared with a turn without tools. TURNS says how many
turns of each kind, PRIORITY=1 runs before the machine's other programs (as root).
"""

import sys
from typing import Any

from benchmarks import options
from benchmarks.processes import MachineLoad
from benchmarks.stack import Stack, running_stack
from benchmarks.workflow_processes import Workers

WARM = 5  # turns of each kind that are not counted
STEPS = {
    "1 read": 1,
    "3 reads, 3 steps": 3,
    "1 write": 1,
    "3 writes, 3 steps": 3,
    "3 reads, 1 step": 1,
    "1 delegation": 1,
}


def bench(stack: Stack, turns: int) -> dict[str, Any]:
    """All figures by name, milliseconds."""
    from benchmarks.people import make_user
    from benchmarks.tools_measured import PLANS, measure
    from benchmarks.tools_people import make_tools_organisation

    organisation = make_tools_organisation("tools")
    user = make_user(organisation)
    for plan in PLANS.values():
        measure(stack, organisation, user, plan, WARM)
    load, found = MachineLoad(), {}
    for name, plan in PLANS.items():
        options.say(f"  {name} ...")
        found[name] = measure(stack, organisation, user, plan, turns)
    plain = found["no tools"]
    rows = {}
    for name, seen in found.items():
        steps = STEPS.get(name, 0)
        rows[name] = {
            "p50_ms": seen.p50,
            "p95_ms": seen.p95,
            **{f"{group}_cpu_ms": spent for group, spent in seen.cpu.items()},
            "added_ms_per_step": (seen.p50 - plain.p50) / steps if steps else None,
            "added_worker_cpu_ms_per_step": (
                (seen.cpu["worker"] - plain.cpu["worker"]) / steps if steps else None
            ),
            "times_a_turn_without": seen.p50 / plain.p50 if steps else None,
        }
    return {"bench": "tools", "turns": turns, "busy_cores": load.cores(), "kinds": rows}


def show(found: dict[str, Any]) -> None:
    head = ["a turn with", "p50 ms", "p95 ms", "CPU ms: worker", "Postgres", "Redis"]
    head += ["added ms a step", "added worker CPU ms", "x no tools"]
    rows = [[name, *row.values()] for name, row in found["kinds"].items()]
    options.say("\n" + options.table(head, rows))
    options.say(
        "\nThe model answers at once. A delegation is a turn of the other agent besides, in a "
        "thread of its own."
    )
    options.finish(found)


def main() -> None:
    turns = options.number("TURNS", 40, most=10_000)
    options.say("Starting Postgres, Redis and a worker ...")
    with running_stack([], server="benchmarks.tools_model") as stack:
        workers = Workers(stack, module="benchmarks.tools_samples")
        try:
            workers.start_all()
            stack.worker = workers.running["worker-1"]
            options.say(f"{turns} turns of each kind, one at a time.")
            found = bench(stack, turns)
        except TimeoutError as error:
            sys.exit(str(error))
        finally:
            workers.stop_all()
    show(found)


if __name__ == "__main__":
    main()
