"""The made-up year of an organisation, month after month, with its invoices if wanted."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Self

from django.db import transaction
from django.utils import timezone

from billing_app.errors import PriceMissing
from billing_app.models import BilledPeriod, BilledStatus, BillingAccount, Invoice
from billing_app.services.demo_usage.calendar import Day, days_of, months_of, span
from billing_app.services.demo_usage.catalogue import CALLS, price_the_house
from billing_app.services.demo_usage.houses import furnish, house_of
from billing_app.services.demo_usage.rows import Cast
from billing_app.services.demo_usage.tariffs import tariffs_of
from billing_app.services.demo_usage.writing import write_days
from billing_app.services.invoicing import bill_period
from billing_app.services.prices import seed_prices
from billing_app.services.rolling_up import roll_up
from billing_app.types.periods import BILLING_DAY, bounds, next_period
from one_project.accounts.models import Organisation
from one_project.common.errors import Conflict

# Of the billing account's ``meta``: what has been made up.
NOTED: Final = "demo_usage"
# Invoices of a month are made so long after the billing day has begun.
BILLED_AFTER: Final = timedelta(minutes=10)

Say = Callable[[str], None]


class MadeAlready(Conflict):
    """The organisation has made-up usage in some of these months."""

    code = "demo_usage_made"
    user_message = (
        "This organisation has made-up usage in these months already. With --again the same is "
        "written once more, which adds nothing but what is missing."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``rows`` calls from ``first`` to before ``last`` (UTC days)."""

    first: date
    last: date
    rows: int
    seed: int

    @classmethod
    def of(cls, *, months: int, rows: int, seed: int, now: datetime) -> Self:
        first, last = span(months, now.astimezone(UTC).date())
        return cls(first=first, last=last, rows=rows, seed=seed)

    @classmethod
    def read(cls, noted: dict[str, Any]) -> Self:
        """Of a note; raises nothing: only this module writes them."""
        first, last = (date.fromisoformat(noted[name]) for name in ("first", "last"))
        return cls(first=first, last=last, rows=noted["rows"], seed=noted["seed"])

    def note(self) -> dict[str, Any]:
        return {name: str(v) if isinstance(v, date) else v for name, v in asdict(self).items()}

    def overlaps(self, other: "Plan") -> bool:
        return self.first < other.last and other.first < self.last

    def months(self) -> Iterator[tuple[date, list[Day]]]:
        """Each month with its days."""
        days = days_of(self.first, self.last, self.rows)
        for month in months_of(self.first, self.last):
            after = next_period(month)
            yield month, [one for one in days if month <= one.day < after]

    def whole_months(self) -> list[date]:
        return [month for month, _ in self.months() if next_period(month) <= self.last]


@dataclass(slots=True)
class Made:
    """``rows`` that were not there before, ``late`` ones among them; ``invoices`` by month."""

    plan: Plan
    rows: int = 0
    late: int = 0
    invoices: dict[date, int] = field(default_factory=dict)


def make_demo_usage(
    organisation: Organisation,
    *,
    months: int = 12,
    rows: int = 20_000,
    seed: int = 7,
    bill: bool = False,
    again: bool = False,
    now: datetime | None = None,
    say: Say = lambda _: None,
) -> Made:
    """Usage of so many whole months and of this one up to yesterday; each month is billed as its
    day comes where ``bill`` is set, and what comes late is on the next month's invoices.

    With ``again`` what was made before is made once more, whatever the other arguments say. Each
    month is a transaction. Raises MadeAlready, Conflict for prepaid organisations, PriceMissing.
    """
    plan = Plan.of(months=months, rows=rows, seed=seed, now=now or timezone.now())
    plan = _noted(organisation, plan, again=again)
    seed_prices()
    price_the_house(plan.first)
    furnish(organisation)
    tariffs = tariffs_of(CALLS, plan.first, plan.last)
    cast = Cast([house_of(organisation)], CALLS, tariffs, plan.seed)
    made, whole, billed = Made(plan), plan.whole_months(), _billed(organisation)
    for month, days in plan.months():
        if month in billed:
            # Invoices of that month are made: what comes now is late, and says so.
            made.rows += write_days(cast, days, recorded=timezone.now())
        elif month not in whole[:-1]:
            made.rows += write_days(cast, days)
        else:
            # What comes late has a month after its own to be billed in.
            made.rows += write_days(cast, days, late=False)
        if bill and month in whole:
            made.invoices[month] = bill_month(organisation, month)
        if month in whole[:-1] and month not in billed:
            late = write_days(cast, days, late=True)
            made.rows, made.late = made.rows + late, made.late + late
        say(f"{month:%Y-%m}: {sum(day.calls for day in days):,} calls")
    roll_up()
    return made


def bill_month(organisation: Organisation, month: date) -> int:
    """As the monthly job would have, on its day; how many invoices there are of that month."""
    day = bounds(month)[1] + timedelta(days=BILLING_DAY - 1) + BILLED_AFTER
    run = bill_period(month, [organisation.pk], now=day)
    if run.blocked:
        raise PriceMissing(run.blocked[0][-1])
    return Invoice.objects.counted().filter(organisation=organisation, period=month).count()


def _billed(organisation: Organisation) -> set[date]:
    """Months that were billed before."""
    done = BilledPeriod.objects.filter(organisation=organisation, status=BilledStatus.DONE)
    return set(done.values_list("period", flat=True))


@transaction.atomic
def _noted(organisation: Organisation, plan: Plan, *, again: bool) -> Plan:
    """The plan, noted; or with ``again`` the one that overlaps it. Raises MadeAlready."""
    BillingAccount.objects.get_or_create(organisation=organisation)
    account = BillingAccount.objects.select_for_update().get(organisation=organisation)
    if account.is_prepaid:
        raise Conflict("This organisation pays from credits, which made-up usage would use up.")
    plans = [Plan.read(one) for one in account.meta.get(NOTED, [])]
    same = next((one for one in plans if one.overlaps(plan)), None)
    if same is not None:
        if not again:
            raise MadeAlready
        return same
    account.meta[NOTED] = [*account.meta.get(NOTED, []), plan.note()]
    account.save(update_fields=["meta", "updated_at"])
    return plan
