"""``make trial-invoices``: bill the same months many times at once, kill, be late; then count.

Two to eight processes run ``manage.py bill`` for the same month at the same time, month after
month, each in another time zone. KILLS of them end with ``kill -9``: at the points where an invoice
is half made, or at any moment. Meanwhile usage of months that are billed, or being billed, comes
in. At the end plain SQL compares what was used with what is on invoices. ROWS calls of a year, and
SEED repeats a run.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks import options
from benchmarks.billing.houses import cast_of, make_houses, write_year, year_before
from benchmarks.billing.nursery import Nursery
from benchmarks.billing.verdict import Verdict, judge
from benchmarks.searching.place import running_place

ZONES = ("Asia/Almaty", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC")
POINTS = ("invoice_made", "lines_made", "invoice_numbered")
FATES = (*POINTS, "any_moment")
BILLERS = (2, 8)
TRIES = 3  # for a month; what could not be killed then is killed in the next one
LATE = 12  # calls that come in while a month is being billed


@dataclass(slots=True)
class Trial:
    """Who is billed, and what has been done to whom."""

    organisations: list[Any]
    calls: list[Any]
    months: tuple[date, date]  # the first and the last
    chance: random.Random
    nursery: Nursery
    fates: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    late: int = 0
    failed: int = 0

    def bill(self, month: date, kills: int) -> int:
        """A few times, the last time without killing; how many were killed."""
        killed = 0
        for _ in range(TRIES):
            died = self._bill_at_once(month, kills - killed)
            killed += died
            if killed >= kills:
                break
        self._bill_at_once(month, 0)
        return killed

    def _bill_at_once(self, month: date, most: int) -> int:
        """Several processes, of which up to ``most`` are killed; how many were."""
        count = self.chance.randint(*BILLERS)
        doomed = min(most, count)
        started = []
        for number in range(count):
            fate = self.chance.choice(FATES) if number < doomed else ""
            crash = f"{fate}:{self.chance.choice((1, 1, 1, 2))}" if fate in POINTS else "-"
            zone = ZONES[(self.runs.total()) % len(ZONES)]
            self.runs[zone] += 1
            started.append((self.nursery.start(f"{month:%Y-%m}", zone, crash), fate))
        for pid, fate in started:
            if fate == "any_moment":
                time.sleep(self.chance.uniform(0, 0.15))
                self.nursery.kill(pid)
        for _ in range(LATE if month < self.months[1] else 0):
            self._be_late(month)
        died = 0
        for pid, fate in started:
            code = self.nursery.wait(pid)
            if code == -9:
                died += 1
                self.fates[fate] += 1
            elif code:
                self.failed += 1
        return died

    def _be_late(self, month: date) -> None:
        """A call of this month or of one before it, recorded now."""
        from billing_app.services.demo_usage.tariffs import use_of
        from billing_app.services.usage import record_usage
        from one_project.accounts.models import Membership

        organisation = self.chance.choice(self.organisations)
        people = list(
            Membership.objects.filter(organisation=organisation).values_list("user_id", flat=True)
        )
        earliest, this = (
            datetime(one.year, one.month, 1, tzinfo=UTC) for one in (self.months[0], month)
        )
        at = this + timedelta(days=self.chance.randint(-60, 27))
        at = max(at, earliest) + timedelta(microseconds=self.chance.randint(0, 86_399_999_999))
        asked = self.chance.randint(10, 9_000)
        record_usage(
            [
                replace(
                    use_of(self.chance.choice(self.calls), at),
                    organisation_id=organisation.pk,
                    user_id=self.chance.choice([*people, None]),
                    input_tokens=asked,
                    cached_input_tokens=self.chance.choice([0, asked // 3]),
                )
            ]
        )
        self.late += 1


def run_trial(
    environment: Mapping[str, str], folder: Path, *, rows: int, kills: int, seed: int, months: int
) -> tuple[Verdict, Trial]:
    """On a migrated database; ``months``: how many of the year are billed."""
    from billing_app.models import BillingAccount, InvoicePer
    from billing_app.services.demo_usage.calendar import months_of
    from billing_app.types.periods import previous_period

    organisations, houses = make_houses([f"billed{number}" for number in range(4)], people=5)
    for number, organisation in enumerate(organisations):
        BillingAccount.objects.update_or_create(
            organisation=organisation,
            defaults={
                "invoice_per": (InvoicePer.USER, InvoicePer.ORGANISATION)[number % 2],
                "needs_review": number == 2,
                "tax_percent": Decimal("19.25") if number > 1 else Decimal(0),
            },
        )
    until = year_before()[1].replace(day=1)
    first = until
    for _ in range(months):
        first = previous_period(first)
    cast = cast_of(houses, first, until, seed)
    write_year(cast, first, until, rows, lambda *_: None)
    nursery = Nursery(environment, folder)
    # What is late is billed with a month after its own, so nothing is while the last one is.
    known = (first, previous_period(until))
    trial = Trial(organisations, list(cast.calls), known, random.Random(seed), nursery)
    try:
        killed = 0
        for number, month in enumerate(months_of(first, until), start=1):
            killed += trial.bill(month, kills * number // months - killed)
            options.say(f"  {month:%Y-%m}: {trial.runs.total()} runs, {killed} killed")
    finally:
        nursery.close()
    return judge([each.pk for each in organisations], previous_period(until)), trial


def show(verdict: Verdict, trial: Trial) -> None:
    options.say("\n" + options.table(["killed", "times"], sorted(trial.fates.items())))
    options.say("\n" + options.table(["zone", "runs"], sorted(trial.runs.items())))
    options.say(
        f"\n{trial.runs.total()} runs, {trial.fates.total()} killed, {trial.late:,} calls came "
        f"late: {verdict.invoices:,} invoices ({verdict.adjustments:,} lines of adjustments), "
        f"{verdict.doubled} billed twice, {verdict.missed} not billed, a difference of "
        f"${verdict.difference}, {verdict.gaps} gaps in the numbers, {verdict.wrong} wrong sums."
    )


def main() -> None:
    kills = options.number("KILLS", 40, least=0, most=10_000)
    rows = options.number("ROWS", 20_000, least=100, most=10_000_000)
    seed = options.number("SEED", 1, least=0)
    os.environ.setdefault("CORES", "all")
    options.say("Starting Postgres and Redis ...")
    with running_place() as place:
        from billing_app.services.prices import seed_prices

        seed_prices()
        options.say(f"Billing a year of {rows:,} calls, killing {kills} times (SEED={seed}) ...")
        verdict, trial = run_trial(
            place.environment, place.folder, rows=rows, kills=kills, seed=seed, months=12
        )
    show(verdict, trial)
    options.finish(
        {
            "trial": "invoices",
            **verdict.to_json(),
            "kills": trial.fates.total(),
            "runs": trial.runs.total(),
            "failed_runs": trial.failed,
            "late": trial.late,
            "zones": sorted(trial.runs),
            "by_fate": dict(trial.fates),
        }
    )
    sys.exit(0 if verdict.is_good else 1)


if __name__ == "__main__":
    main()
