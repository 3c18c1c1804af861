"""``make trial-turns``: kill everything, again and again, and count what is lost.

KILLS times one of worker, web server, Redis and Postgres is ended with ``kill -9`` in the middle
of answers and started again at once, while 8 people keep asking. Then everybody waits until it is
quiet, and the database and the pages are compared with what the model said. SEED repeats a run,
SERVER is daphne or uvicorn, PRIORITY=1 runs before the machine's other programs (as root).
"""

import asyncio
import random
import sys
import time
from typing import Any

import uvloop

from benchmarks import options, processes
from benchmarks.people import Room, make_organisation, make_rooms
from benchmarks.stack import SERVERS, Stack, in_thread, running_stack
from benchmarks.trial_kills import Killer
from benchmarks.trial_seats import Kill, Seat
from benchmarks.trial_verdict import Verdict, judge, pages_differ, wait_until_closed

SEATS = 8
BETWEEN = (1.5, 3.5)  # seconds from kill to kill
QUIET_WITHIN = 60.0  # seconds for all turns to end, once nothing is killed any more
ALIKE_WITHIN = 20.0  # seconds more for the pages to show it


async def trial(stack: Stack, rooms: list[Room], kills: int, seed: int) -> tuple[
    list[Kill], list[Seat], Verdict, dict[str, int]
]:  # fmt: skip
    """Kill while people ask; returns the kills, the people and what was found."""
    chance = random.Random(seed)
    killer = Killer(stack, chance)
    seats = [Seat(stack.host, room, seed + place + 1) for place, room in enumerate(rooms)]
    enough = asyncio.Event()
    asking = [asyncio.create_task(seat.keep_asking(enough)) for seat in seats]
    await asyncio.sleep(2.0)
    struck: list[Kill] = []
    for number in range(kills):
        await asyncio.sleep(chance.uniform(*BETWEEN))
        kill = Kill(killer.strike(), time.monotonic())
        struck.append(kill)
        for seat in seats:
            seat.note(kill)
        if (number + 1) % 10 == 0:
            turns = sum(len(seat.asked) for seat in seats)
            options.say(f"  {number + 1} kills, {turns} questions asked")
    options.say("Waiting until it is quiet ...")
    verdict = await _settle(stack, seats, enough)
    await asyncio.gather(*asking, return_exceptions=True)
    for seat in seats:
        seat.close()
    return struck, seats, verdict, killer.killed


async def _settle(stack: Stack, seats: list[Seat], enough: asyncio.Event) -> Verdict:
    """No more kills: questions under way end, then rows and pages are compared."""
    for seat in seats:
        seat.stop_asking()
    await asyncio.to_thread(stack.wait_for_web)
    waits = [asyncio.create_task(seat.over.wait()) for seat in seats]
    await asyncio.wait(waits, timeout=QUIET_WITHIN)
    await in_thread(wait_until_closed)(QUIET_WITHIN)
    verdict = await in_thread(judge)(seats)
    until = time.monotonic() + ALIKE_WITHIN
    while True:
        verdict.differing = await in_thread(pages_differ)(seats)
        if not verdict.differing or time.monotonic() > until:
            break
        await asyncio.sleep(0.5)
    enough.set()
    return verdict


def figures(
    struck: list[Kill], seats: list[Seat], verdict: Verdict, killed: dict[str, int]
) -> dict[str, Any]:
    """For the table and the JSON line."""
    waits = [wait for kill in struck for wait in kill.waits]
    by_name: dict[str, Any] = {}
    for name, count in killed.items():
        of_name = [kill for kill in struck if kill.name == name]
        alone = [wait for kill in of_name for wait in kill.alone]
        by_name[name] = {
            "kills": count,
            "interrupted": sum(len(kill.waits) for kill in of_name),
            "alone": len(alone),
            "alone_p50_s": options.percentile(alone, 0.5),
            "alone_max_s": max(alone, default=None),
        }
    return {
        "trial": "turns",
        "kills": len(struck),
        "turns": verdict.turns,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "stuck": verdict.stuck,
        "failed": verdict.failed,
        "pages_differing": verdict.differing,
        "never_accepted": verdict.refused,
        "sent_again": sum(asked.tries - 1 for seat in seats for asked in seat.asked),
        "reconnects": sum(seat.viewer.connects - 1 for seat in seats),
        "repaired_p50_s": options.percentile(waits, 0.5),
        "repaired_max_s": max(waits, default=None),
        "by_process": by_name,
    }


def show(found: dict[str, Any]) -> None:
    rows = [[name, *seen.values()] for name, seen in found["by_process"].items()]
    head = ["killed", "kills", "streams interrupted", "by it alone", "next token p50 s", "max s"]
    options.say("\n" + options.table(head, rows))
    options.say("next token: seconds from the kill, of streams that nothing else hit meanwhile")
    options.say(
        f"\n{found['turns']} answers asked for and {found['kills']} kills: {found['lost']} lost, "
        f"{found['doubled']} doubled, {found['stuck']} stuck, {found['failed']} failed in sight "
        f"after three lost workers, {found['pages_differing']} pages differ from the database."
    )
    options.finish(found)


def main() -> None:
    kills = options.number("KILLS", 100, most=10_000)
    seed = options.number("SEED", 1, least=0)
    server = options.choice("SERVER", "daphne", SERVERS)
    options.say("Starting the whole stack ...")
    with running_stack(["--rate", "50"]) as stack:
        rooms = make_rooms(make_organisation("trial"), SEATS)
        stack.start_application(server)
        options.say(f"Killing {kills} times (SEED={seed}, {server}), {SEATS} people ask.")
        with processes.placed(stack.load_core, first=stack.first):
            found = figures(*uvloop.run(trial(stack, rooms, kills, seed)))
    show(found)
    bad = ("lost", "doubled", "stuck", "pages_differing", "never_accepted")
    sys.exit(1 if any(found[name] for name in bad) else 0)


if __name__ == "__main__":
    main()
