"""``make bench-workflows``: what steps, runs and sleeping runs cost, beside DBOS Transact.

RUNS (runs of five steps at once), LONG (steps of the long run), FAN (steps at once), WAITING and
SLEEPING (runs that wait and sleep; as many as wait are really started, the other sleepers are
copied rows), PEER=0 leaves DBOS out, PRIORITY=1 runs before the machine's other programs (as root).
"""

from typing import Any

from benchmarks import options, processes
from benchmarks.stack import running_stack
from benchmarks.workflow_compared import measure_peer
from benchmarks.workflow_processes import Workers

COMPARED = {
    "empty_ms": "empty workflow, start to end, ms",
    "transaction_step_ms": "transaction step, one of 50 in turn, ms",
    "action_step_ms": "no-op async action, one of 50 in turn, ms",
    "transaction_runs_per_s": "runs of 5 transaction steps a second",
    "action_runs_per_s": "runs of 5 no-op actions a second",
}
ALONE = {
    "start_ms": "start() with its commit, ms",
    "long_transaction_step_ms": "transaction step of a long run, ms",
    "long_action_step_ms": "action of a long run, ms",
    "gather_s": "fan-out with gather, s",
    "map_s": "fan-out with map, 100 at once, s",
}
BUSY = "machine_cores_busy"


def show(ours: dict[str, Any], peer: dict[str, Any]) -> None:
    rows = []
    for name, label in (COMPARED | ALONE).items():
        mine, theirs = ours[name], peer.get(name)
        rows.append([label, mine, theirs, mine / theirs if mine and theirs else None])
    # Each side has one core; what is above 1 are programs that do not belong to the run.
    rows.append(
        ["busy cores of the machine meanwhile", *(each.get(BUSY) for each in (ours, peer)), None]
    )
    options.say("\n" + options.table(["", "ours", "DBOS", "ours / DBOS"], rows))
    head = [
        "runs that wait",
        "runs",
        "RSS +MiB",
        "threads +",
        "worker ms/s",
        "Postgres ms/s",
        "tx/s",
    ]
    keys = ["runs", "rss_growth_mib", "new_threads", "worker_cpu_ms_s", "postgres_cpu_ms_s"]
    waiting = [
        [name, *(seen.get(key) for key in [*keys, "transactions_s"])]
        for name, seen in ours["waiting"].items()
    ]
    if asleep := peer.get("sleeping"):
        waiting.append(["DBOS sleeping", *(asleep.get(key) for key in [*keys, ""])])
    options.say("\n" + options.table(head, waiting))


def targets(ours: dict[str, Any], peer: dict[str, Any]) -> dict[str, bool | None]:
    """Whether each is met; None where it was not measured."""
    step, runs = ours["transaction_step_ms"], ours["transaction_runs_per_s"]
    asleep = ours["waiting"].get("sleeping", {})
    theirs = peer.get("transaction_step_ms")
    growth = asleep.get("rss_growth_mib")
    return {
        "transaction step < 12 ms": None if step is None else step < 12,
        "48 runs of five steps a second": None if runs is None else runs >= 48,
        "sleeping: RSS growth < 15 MiB": None if growth is None else growth < 15,
        "sleeping: no new thread": None if growth is None else asleep["new_threads"] <= 0,
        "not slower than DBOS per transactional step": step <= theirs if step and theirs else None,
    }


def main() -> None:
    runs = options.number("RUNS", 400, most=100_000)
    long = options.number("LONG", 1000, most=100_000)
    fan = options.number("FAN", 1000, most=100_000)
    waiting = options.number("WAITING", 10_000)
    sleeping = options.number("SLEEPING", 100_000)
    count = options.number("WORKERS", 1, most=16)
    options.say(f"Starting Postgres, Redis and {count} of workers ...")
    with running_stack(["--rate", "50"]) as stack:
        from benchmarks.workflow_idle import measure_waiting
        from benchmarks.workflow_measures import measure_steps

        workers = Workers(stack, count)
        try:
            workers.start_all()
            load = processes.MachineLoad()
            # The starts run where the worker and Postgres do, as they do for DBOS.
            with processes.placed(stack.app_core, first=stack.first):
                ours: dict[str, Any] = measure_steps(runs, long, fan)
            ours[BUSY] = load.cores()
            options.say("  DBOS ...")
            load = processes.MachineLoad()
            peer = measure_peer(stack, runs)
            if peer:
                peer[BUSY] = load.cores()
            ours["waiting"] = measure_waiting(stack, workers, waiting, sleeping)
            complaints = workers.complaints()
        finally:
            workers.stop_all()
    show(ours, peer)
    met = targets(ours, peer)
    for name, value in met.items():
        options.say(f"{name}: {'not measured' if value is None else 'met' if value else 'NOT MET'}")
    for line in complaints:
        options.say(line)
    options.finish({"bench": "workflows", "ours": ours, "dbos": peer, "targets": met})


if __name__ == "__main__":
    main()
