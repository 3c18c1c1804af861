"""``make trial-workflows``: kill everything while workflows run, and count what is lost.

RUNS workflows of five steps are started one after the other while KILLS times one of two workers,
beat, Redis and Postgres is ended with ``kill -9`` and started again at once; Redis is emptied now
and then. Then everybody waits until it is quiet, and the journal, the rows and the lines that the
effects left are compared. SEED repeats a run, PRIORITY=1 runs before the machine's other programs
(as root).
"""

import random
import sys
import threading
import time
from dataclasses import asdict
from typing import Any
from uuid import UUID

from benchmarks import options
from benchmarks.stack import Stack, running_stack
from benchmarks.workflow_processes import Workers

WORKERS = 2
BETWEEN = (1.5, 3.5)  # seconds from kill to kill
# Postgres takes seconds to come back; most kills wait for that, or little would run that they hit.
PATIENT = 0.75
AWAY = 1.0  # seconds that adds to a kill, all in all
START_WITHIN = 60.0  # seconds in which a database that was killed must take a run
QUIET_WITHIN = 240.0  # a run that lost several workers is looked at less and less often


class Starter(threading.Thread):
    """Starts the runs, evenly over ``seconds``; a database that is away is asked again."""

    def __init__(self, runs: int, seconds: float) -> None:
        super().__init__(name="starter", daemon=True)
        self.runs, self.pause = runs, seconds / runs
        self.started: dict[int, UUID] = {}
        self.tries = 0

    def run(self) -> None:
        began = time.monotonic()
        for number in range(self.runs):
            time.sleep(max(0.0, began + number * self.pause - time.monotonic()))
            self._start(number)

    def _start(self, number: int) -> None:
        from django.db import DatabaseError, connection

        from benchmarks.workflow_samples import ended, five_steps
        from one_project.workflows.services.runs import start

        until = time.monotonic() + START_WITHIN
        while time.monotonic() < until:
            self.tries += 1
            try:
                run = start(
                    five_steps, number, key=f"trial-{number}", on_complete=ended, context=number
                )
                self.started[number] = run.pk
                return
            except DatabaseError:
                time.sleep(0.1)
            finally:
                connection.close()


def trial(stack: Stack, workers: Workers, runs: int, kills: int, seed: int) -> dict[str, Any]:
    """Kill while runs are started; returns the figures."""
    from benchmarks.workflow_kills import WorkflowKiller
    from benchmarks.workflow_recovery import recoveries, unknown_though_alive
    from benchmarks.workflow_verdict import judge, wait_until_quiet

    chance = random.Random(seed)
    killer = WorkflowKiller(stack, workers, chance)
    starter = Starter(runs, kills * (sum(BETWEEN) / 2 + AWAY))
    starter.start()
    for number in range(kills):
        if chance.random() < PATIENT:
            killer.wait_for_postgres()
        time.sleep(chance.uniform(*BETWEEN))
        workers.revive()
        killer.strike()
        if (number + 1) % 10 == 0:
            options.say(f"  {number + 1} kills, {len(starter.started)} runs started")
    starter.join(START_WITHIN + runs * starter.pause)
    options.say("Waiting until it is quiet ...")
    quiet = wait_until_quiet(QUIET_WITHIN, workers.revive)
    verdict = judge(starter.started, stack.folder / "effects.txt")
    verdict.lost += max(0, runs - len(starter.started))
    return {
        "trial": "workflows",
        "kills": kills,
        "flushes": killer.flushes,
        **asdict(verdict),
        "unknown_though_alive": unknown_though_alive(killer.strikes),
        "bad": verdict.is_bad,
        "start_tries": starter.tries,
        "ended_by_themselves": workers.fallen,
        "quiet_after_s": quiet,
        **recoveries(killer.strikes),
    }


def show(found: dict[str, Any], complaints: list[str]) -> None:
    rows = [[name, *seen.values()] for name, seen in found["by_process"].items()]
    head = ["killed", "kills", "steps interrupted", "away p50 s", "next step p50 s", "max s"]
    options.say("\n" + options.table(head, rows))
    options.say("next step: seconds from the kill to the next end of a step of any run")
    options.say(
        f"\n{found['interrupted']} steps lost their worker and ended "
        f"{_seconds(found['recovery_p50_s'])} (median) to {_seconds(found['recovery_max_s'])} "
        f"later; the {found['recovery_alone']} that nothing else hit meanwhile, "
        f"{_seconds(found['recovery_alone_p50_s'])} to {_seconds(found['recovery_alone_max_s'])}."
    )
    for line in [*found["errors"], *complaints]:
        options.say(line)
    options.say(
        f"\n{found['runs']} runs and {found['kills']} kills: {found['lost']} lost, "
        f"{found['doubled']} doubled, {found['stuck']} stuck; {found['succeeded']} succeeded, "
        f"{found['unknown_ended']} ended because nobody knows whether an effect happened, "
        f"{found['unknown_handled']} went on in spite of that, {found['failed']} failed otherwise."
    )
    options.say(
        f"{found['unknown']} steps ended as unknown, {found['unknown_though_alive']} of them "
        "though nobody had killed their worker."
    )
    options.say(
        f"Transactional effects: {found['transactional_twice']} twice, "
        f"{found['transactional_missing']} missing. External ones: {found['external']}, repeated "
        f"{found['external_repeated_at_least_once']} (at least once) and "
        f"{found['external_repeated_at_most_once']} (at most once). "
        f"on_complete missing: {found['completions_missing']}."
    )
    options.finish(found)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def main() -> None:
    kills = options.number("KILLS", 100, most=10_000)
    runs = options.number("RUNS", 300, most=100_000)
    seed = options.number("SEED", 1, least=0)
    options.say("Starting Postgres, Redis, two workers and beat ...")
    with running_stack(["--rate", "50"]) as stack:
        workers = Workers(stack, WORKERS, with_beat=True)
        try:
            workers.start_all()
            options.say(f"Killing {kills} times (SEED={seed}) while {runs} runs are started.")
            found = trial(stack, workers, runs, kills, seed)
            complaints = workers.complaints()
        finally:
            workers.stop_all()
    show(found, complaints)
    sys.exit(1 if found["bad"] else 0)


if __name__ == "__main__":
    main()
