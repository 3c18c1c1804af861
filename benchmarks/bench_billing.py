"""``make bench-billing``: a year of usage of many organisations, billed, shown, exported, checked.

ROWS calls of TENANTS organisations (the first has a tenth of them) and, in an organisation of its
own, a tenth of ROWS in one month to be exported; REQUESTS for each page, over HTTP from the real
server. Beside each figure stands what Postgres needs for the plain aggregate.
"""

import os
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

from benchmarks import options, processes
from benchmarks.processes import MachineLoad
from benchmarks.stack import Stack, running_stack
from one_project.embedded.postgres import EmbeddedPostgres

SEED = 7
WRITERS = 2
WEB_WITHIN = 300.0  # seconds; after so many rows the machine is busy writing
BYTES_A_ROW = 900  # with indexes, log and what sorting takes


def write(rows: int, tenants: int) -> tuple[list[Any], Any, dict[str, Any]]:
    """The organisations, the one for the export, and how long it took."""
    from benchmarks.billing.houses import cast_of, make_houses, year_before
    from billing_app.services.demo_usage.calendar import days_of, months_of
    from billing_app.services.demo_usage.rows import write_rows
    from billing_app.services.prices import seed_prices
    from billing_app.types.periods import previous_period

    seed_prices()
    organisations, houses = make_houses([f"house{number:03}" for number in range(tenants)], 5)
    (wide,), wide_houses = make_houses(["wide"], 5)
    first, last = year_before()
    cast, wide_cast = (cast_of(one, first, last, SEED) for one in (houses, wide_houses))
    days, done, lock = days_of(first, last, rows), [0], threading.Lock()
    whole = last.replace(day=1)
    wide_days = days_of(previous_period(whole), whole, max(rows // 10, 1))
    begun = time.perf_counter()

    def write_month(month: date) -> None:
        from django.db import connection

        try:
            added = write_rows(cast, [one for one in days if one.day.replace(day=1) == month])
        finally:
            connection.close()
        with lock:
            done[0] += added
            speed = done[0] / (time.perf_counter() - begun)
            options.say(f"  {month:%Y-%m}: {done[0]:,} rows, {speed:,.0f} a second")

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write_month, months_of(first, last)))
    seconds = time.perf_counter() - begun
    more = write_rows(wide_cast, wide_days)
    return (
        organisations,
        wide,
        {
            "s": seconds,
            "rows": done[0],
            "rows_a_second": done[0] / seconds,
            "more_rows": more,
        },
    )


def bench(stack: Stack, asked: dict[str, int]) -> dict[str, Any]:
    """All figures by part."""
    from benchmarks.billing import limits, measures
    from benchmarks.billing.houses import year_before
    from billing_app.types.periods import previous_period

    load = MachineLoad()
    options.say(f"Writing {asked['rows']:,} rows of {asked['tenants']} organisations ...")
    organisations, wide, written = write(asked["rows"], asked["tenants"])
    _settle()
    first, last = year_before()
    month = previous_period(last)
    options.say("Sums by day ...")
    rolled = measures.everything_rolled_up(first, last)
    day = measures.one_day_rolled_up(organisations, previous_day(last))
    options.say("Invoices ...")
    one = measures.organisation_run(organisations[0], previous_period(month))
    _forget(stack)
    cold = limits.seconds_of(limits.MONTH, **limits.bounds_of(month))
    _forget(stack)
    run = {**measures.month_run(month), "plain_sql_cold_s": cold}
    options.say("Pages ...")
    stack.start_web()
    stack.wait_for_web(WEB_WITHIN)
    pages = measures.pages(stack, organisations[0], month, asked["requests"])
    options.say("A file of all rows of a month ...")
    csv = measures.export(stack, wide, month)
    options.say("Invoices of all other months ...")
    others = measures.other_months()
    options.say("Checking the books ...")
    books = measures.check_of_books()
    return {
        "bench": "billing",
        **asked,
        "busy_cores": load.cores(),
        "written": {**written, "gib": _size() / 2**30},
        "month_run": run,
        "organisation_run": one,
        "other_months": others,
        "rolled_up": rolled,
        "day_rolled_up": day,
        "pages": pages,
        "csv": csv,
        "reconcile": books,
    }


def previous_day(day: date) -> date:
    from datetime import timedelta

    return day - timedelta(days=1)


def _settle() -> None:
    """Have the planner know the rows, as autovacuum would soon."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _forget(stack: Stack) -> None:
    """Start Postgres anew, with nothing of its files in the machine's memory."""
    from django.db import connections

    connections.close_all()
    stack.postgres.stop()
    for path in stack.postgres.cluster.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with processes.placed(stack.app_core, first=stack.first):
        stack.postgres = EmbeddedPostgres(stack.postgres.state.path)
        stack.postgres.start()
        stack.postgres.wait()


def _size() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('billing_app_usagerecord')")
        return int(cursor.fetchone()[0])


def show(found: dict[str, Any]) -> None:
    written, csv = found["written"], found["csv"]
    options.say(
        f"\n{written['rows']:,} rows in {written['s']:,.0f} s ({written['rows_a_second']:,.0f} a "
        f"second), {written['gib']:.1f} GiB with indexes."
    )
    parts = {
        f"month run, {found['tenants'] + 1} organisations": found["month_run"],
        f"one organisation, {found['organisation_run']['rows']:,} rows": found["organisation_run"],
        "roll-up of everything": found["rolled_up"],
        "roll-up of one day": found["day_rolled_up"],
        f"CSV of {csv['rows']:,} rows": csv,
        "reconciliation": found["reconcile"],
    }
    rows = [[name, one["s"], one["plain_sql_s"], one["ratio"]] for name, one in parts.items()]
    options.say("\n" + options.table(["what", "s", "plain SQL s", "ratio"], rows))
    pages = [
        [name, one["p50_ms"], one["p95_ms"], one["plain_sql_ms"]]
        for name, one in found["pages"].items()
    ]
    options.say("\n" + options.table(["page", "p50 ms", "p95 ms", "plain SQL ms"], pages))
    run, books = found["month_run"], found["reconcile"]
    options.say(
        f"\n{run['invoices']:,} invoices from a cold cache, from which the plain SQL takes "
        f"{run['plain_sql_cold_s']:.1f} s, with {run['more_memory_mib']:.0f} MiB more memory. CSV: "
        f"{csv['bytes']:,} bytes, the first after {csv['first_piece_s']:.2f} s, the server with "
        f"{csv['server_rss_mib']:.0f} MiB and {csv['more_memory_mib']:.1f} MiB more meanwhile. "
        f"The books are {'right' if books['is_ok'] else 'WRONG'}."
    )
    others = found["other_months"]
    options.say(
        f"All other months, {others['months']:,} of organisations: {others['invoices']:,} invoices "
        f"in {others['s']:.1f} s."
    )
    if books["is_ok"]:
        del books["findings"]
    options.finish(found)


def main() -> None:
    asked = {
        "rows": options.number("ROWS", 1_000_000, least=1_000, most=100_000_000),
        "tenants": options.number("TENANTS", 100, least=2, most=10_000),
        "requests": options.number("REQUESTS", 50, most=10_000),
    }
    needed, free = asked["rows"] * BYTES_A_ROW, shutil.disk_usage(tempfile.gettempdir()).free
    if free < needed:
        sys.exit(f"{needed / 2**30:.0f} GiB are needed, and {free / 2**30:.0f} are free.")
    os.environ.setdefault("CORES", "all")
    options.say("Starting Postgres and Redis ...")
    with running_stack(["--rate", "50"]) as stack:
        try:
            found = bench(stack, asked)
        finally:
            stack.postgres.stop()
    show(found)
    sys.exit(0 if found["reconcile"]["is_ok"] else 1)


if __name__ == "__main__":
    main()
