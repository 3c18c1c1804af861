"""``make trial-tenancy``: try PROBES times to see or change what belongs to another organisation.

Three organisations that say the same things, but for a marker in every text, and have the same
vectors. Each probe is somebody of one and something of another: through services, the tools of
agents, pages and fragments, sockets, and SQL as the role of the application. A leak is any row,
any marker, any change, and any answer that tells what exists from what does not. With the rights
for it the same has to come through (*controls*): a trial that sees nothing proves nothing.
SEED repeats a run.
"""

import logging
import random
import sys
from typing import Any

from benchmarks import options
from benchmarks.searching.place import Place, running_place
from benchmarks.tenancy.ledger import Ledger

NAMES = ("linden", "maple", "rowan")
# How many of a hundred probes take each way.
SHARES = {"sql": 44, "pages": 24, "services": 20, "tools": 8, "sockets": 4}


def trial(place: Place, probes: int, seed: int) -> tuple[Ledger, list[str]]:
    """What was tried; and the secured tables in which there was nothing to find."""
    from benchmarks.searching.writing import analyse
    from benchmarks.tenancy.by_page import ByPage
    from benchmarks.tenancy.by_service import ByService
    from benchmarks.tenancy.by_socket import BySocket
    from benchmarks.tenancy.by_sql import BySql
    from benchmarks.tenancy.by_tool import ByTool
    from benchmarks.tenancy.side import make_side, make_space

    space = make_space()
    sides = [make_side(name, space) for name in NAMES]
    analyse()
    ledger, rng = Ledger(), random.Random(seed)
    sql, sockets = BySql(place.app_url, sides), BySocket(sides)
    ways: dict[str, Any] = {
        "sql": sql,
        "pages": ByPage(sides),
        "services": ByService(sides, space.pk),
        "tools": ByTool(sides),
    }
    order = rng.choices(list(SHARES), list(SHARES.values()), k=probes)
    options.say(f"{probes:,} probes (SEED={seed}) ...")
    for number, way in enumerate(order, 1):
        if way in ways:
            ways[way].probe(ledger, rng, *rng.sample(sides, 2))
        if number * 10 // probes > (number - 1) * 10 // probes:
            options.say(f"  {number:,} probes, {len(ledger.leaks)} leaks")
    pairs = [tuple(rng.sample(sides, 2)) for way in order if way == "sockets"]
    sockets.probe_all(ledger, rng, pairs)
    options.say("With the rights for it ...")
    for one in ways.values():
        one.controls(ledger)
    unfilled = sql.unfilled()
    sql.close()
    return ledger, unfilled


def show(ledger: Ledger, unfilled: list[str], seed: int) -> bool:
    """The table and the line of JSON; whether all is well."""
    leaks = dict.fromkeys(SHARES, 0)
    for line in ledger.leaks:
        leaks[line.partition(",")[0]] += 1
    rows = [[way, ledger.probes[way], leaks[way]] for way in SHARES]
    options.say("\n" + options.table(["through", "probes", "leaks"], rows))
    for line in ledger.lines():
        options.say(line)
    if unfilled:
        options.say(f"Nothing to find in {', '.join(unfilled)}: the trial has to fill these, too.")
    seen = ledger.controls - len(ledger.blind)
    options.say(f"\n{seen} of {ledger.controls} controls see what is their own.")
    options.finish(
        {
            "trial": "tenancy",
            "probes": ledger.probes.total(),
            "leaks": len(ledger.leaks),
            "by": {way: {"probes": tried, "leaks": found} for way, tried, found in rows},
            "controls": ledger.controls,
            "controls_seen": seen,
            "unfilled": unfilled,
            "seed": seed,
        }
    )
    return not (ledger.leaks or ledger.blind or unfilled)


def main() -> None:
    probes = options.number("PROBES", 10_000)
    seed = options.number("SEED", 1, least=0)
    options.say("Starting Postgres and Redis ...")
    with running_place() as place:
        # Hundreds of pages that are refused are no news.
        logging.disable(logging.WARNING)
        ledger, unfilled = trial(place, probes, seed)
    sys.exit(0 if show(ledger, unfilled, seed) else 1)


if __name__ == "__main__":
    main()
