"""Raw usage for tests of invoices: rows whose cost is exactly the sum of their parts."""

from collections.abc import Collection
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_app.models import Invoice, InvoiceLine, Pricing, UsageRecord
from billing_app.types.money import cost_of_tokens
from billing_app.types.periods import period_of
from one_project.accounts.models import Organisation, User

SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (9, 10, 11, 12))
# US dollars a million: input, cached input, cache write, output.
PRICE_FIELDS = ("price_input", "price_cached_input", "price_cache_write", "price_output")
PRICES = tuple(map(Decimal, ("2.5", "1.25", "3.125", "10")))


def on(month: int, day: int, hour: int = 12, *, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def used(
    organisation: Organisation,
    user: User | None = None,
    *,
    at: datetime,
    recorded_at: datetime | None = None,
    tokens: tuple[int, int, int, int] = (1_000_000, 0, 0, 0),
    prices: Collection[Decimal] = PRICES,
    **fields: Any,
) -> UsageRecord:
    """``tokens``: input beside what follows, cached input, cache write, output. Recorded when it
    occurred, unless said."""
    plain, cached, written, output = tokens
    base: dict[str, Any] = {
        "organisation": organisation,
        "user_id": user.pk if user else None,
        "purpose": "answer",
        "provider": "openai",
        "model": "gpt-4o",
        "occurred_at": at,
        "recorded_at": recorded_at or at,
        "billing_period": period_of(at),
        "input_tokens": plain + cached + written,
        "cached_input_tokens": cached,
        "cache_write_tokens": written,
        "output_tokens": output,
        "pricing": Pricing.LISTED,
        "cost": sum(
            (cost_of_tokens(count, each) for count, each in zip(tokens, prices, strict=True)),
            Decimal(0),
        ),
    }
    base |= dict(zip(PRICE_FIELDS, prices, strict=True))
    return UsageRecord.objects.create(**base | fields)


def unpriced(organisation: Organisation, *, at: datetime, **fields: Any) -> UsageRecord:
    """A use of a model that has no price."""
    missing: dict[str, Any] = dict.fromkeys(PRICE_FIELDS)
    missing |= {"pricing": Pricing.MISSING, "cost": None, "model": "gpt-9"}
    return used(organisation, at=at, **missing | fields)


def cost(organisation: Organisation, *periods: date) -> Decimal:
    """What was used, exactly; of all months, or of some."""
    rows = UsageRecord.objects.filter(organisation=organisation, cost__isnull=False)
    if periods:
        rows = rows.filter(billing_period__in=periods)
    return sum((each.cost or Decimal(0) for each in rows), Decimal(0))


def billed(organisation: Organisation) -> Decimal:
    """What lines that count hold, exactly."""
    lines = InvoiceLine.objects.filter(
        organisation=organisation, invoice__in=Invoice.objects.counted()
    )
    return sum(lines.values_list("exact", flat=True), Decimal(0))


def totals(organisation: Organisation) -> dict[tuple[str, UUID | None], str]:
    """Totals of the invoices that stand, by month and person."""
    found = Invoice.objects.standing().filter(organisation=organisation, kind="invoice")
    return {(f"{each.period:%Y-%m}", each.user_id): str(each.total) for each in found}


def told(invoice: Invoice) -> list[tuple[str, str, str]]:
    """Its lines: kind, description, amount."""
    return [(each.kind, each.description, str(each.amount)) for each in invoice.lines.all()]
