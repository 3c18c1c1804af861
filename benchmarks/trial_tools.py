"""``make trial-tools``: kill workers while agents use tools, and count what is lost or done twice.

The stack is the real one, with two workers. People ask; the model (``benchmarks.tools_model``) asks
for reads, for writes that commit with their record, for effects on a server that counts them, with
and without approval, and for another agent. KILLS times a worker ends with ``kill -9``: at a named
point of the code, right after an approval, in the middle of an effect, or at any moment. Then
everybody waits until it is quiet, and rows and effects are compared. SEED repeats a run.
"""

import os
import random
import sys
import time
from typing import Any

from benchmarks import options
from benchmarks.stack import Stack, running_stack
from benchmarks.tools_effects import Effects, counting_effects
from benchmarks.workflow_processes import Workers

WORKERS = 2
PEOPLE = 6
DELAY = "0.05"  # seconds the model takes
KILL_WITHIN = 45.0  # seconds for one kill, at most
QUIET_WITHIN = 120.0


def trial(
    stack: Stack, workers: Workers, effects: Effects, kills: int, seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Kill while people ask; returns the figures, and what is bad in words."""
    import benchmarks.tools_samples  # noqa: F401 - who approves must know the tools, too
    from benchmarks.tools_people import make_places, make_tools_organisation
    from benchmarks.trial_tools_kills import Killer, Kills
    from benchmarks.trial_tools_people import Asker, Decider
    from benchmarks.trial_tools_verdict import judge, wait_until_quiet

    places = make_places(make_tools_organisation("tools"), PEOPLE)
    decider = Decider(seed)
    askers = [Asker(stack.host, place, number, seed) for number, place in enumerate(places)]
    left = Kills(kills)
    killers = [
        Killer(workers, name, left, decider, effects, random.Random(seed + number))
        for number, name in enumerate(workers.names)
    ]
    for thread in (decider, *askers, *killers):
        thread.start()
    until = time.monotonic() + KILL_WITHIN * kills + KILL_WITHIN
    for killer in killers:
        killer.join(max(0.0, until - time.monotonic()))
        if killer.failure is not None:
            raise killer.failure
    for name in workers.names:
        workers.start(name)
    options.say("Waiting until it is quiet ...")
    for asker in askers:
        asker.enough.set()
    for asker in askers:
        asker.join(QUIET_WITHIN)
    quiet = wait_until_quiet(QUIET_WITHIN, workers.revive)
    decider.over.set()
    decider.join()
    verdict = judge([asked for asker in askers for asked in asker.asked], effects)
    verdict.doubled += decider.decided["twice"]
    found = {
        "trial": "tools",
        "kills": left.done.total(),
        "turns": verdict.turns,
        "calls": verdict.calls,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "stuck": verdict.stuck,
        "unknown": verdict.unknown,
        "unknown_not_allowed": verdict.unknown_not_allowed,
        "failed_turns": verdict.failed_turns,
        "failed_calls": verdict.failed_calls,
        "never_accepted": verdict.never_accepted,
        "effects": verdict.effects,
        "reads_repeated": verdict.reads_repeated,
        "quiet_after_s": quiet,
        "by_fate": dict(left.done),
        "by_status": dict(verdict.by_status),
        "decisions": dict(decider.decided),
    }
    return found, [*verdict.problems, *(f"unknown: {line}" for line in verdict.unknowns)]


def show(found: dict[str, Any], lines: list[str]) -> None:
    options.say("\n" + options.table(["killed", "times"], sorted(found["by_fate"].items())))
    options.say(
        "\n" + options.table(["calls ended as", "times"], sorted(found["by_status"].items()))
    )
    options.say("")
    for line in lines:
        options.say(line)
    options.say(
        f"\n{found['turns']} turns with {found['calls']} calls and {found['kills']} kills: "
        f"{found['lost']} lost, {found['doubled']} doubled, {found['stuck']} stuck, "
        f"{found['unknown']} effects of which nobody knows whether they happened, "
        f"{found['failed_turns']} turns failed in sight after three lost workers."
    )
    options.finish(found)


def main() -> None:
    kills = options.number("KILLS", 100, most=10_000)
    seed = options.number("SEED", 1, least=0)
    # No times are measured here, so nothing is bound to a core.
    os.environ.setdefault("CORES", "all")
    options.say("Starting the whole stack with two workers ...")
    model = "benchmarks.tools_model"
    with counting_effects() as effects, running_stack(["--delay", DELAY], server=model) as stack:
        stack.environment["BENCHMARK_EFFECTS_URL"] = effects.url
        workers = Workers(stack, WORKERS, module="benchmarks.tools_samples")
        try:
            stack.start_web()
            workers.make_ready()  # each is started by who kills it
            stack.wait_for_web()
            options.say(f"Killing {kills} times (SEED={seed}), {PEOPLE} people ask.")
            found, lines = trial(stack, workers, effects, kills, seed)
            complaints = workers.complaints()
        finally:
            workers.stop_all()
    show(found, [*lines, *dict.fromkeys(complaints)])
    bad = ("lost", "doubled", "stuck", "unknown_not_allowed", "never_accepted")
    sys.exit(1 if any(found[name] for name in bad) else 0)


if __name__ == "__main__":
    main()
