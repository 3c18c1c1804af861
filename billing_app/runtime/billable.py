"""What is still to be billed, in sums that Postgres makes: usage less what lines of invoices hold.

Nothing is stamped: whatever was in flight, late or made anew, the difference is what is missing.
Months are half open and in UTC, given as moments, whatever the zone of process or session.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, LiteralString
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Min

from billing_app.models import BilledPeriod, BilledStatus, InvoicePer, Pricing, UsageRecord
from billing_app.types.periods import bounds

# A transaction that was open when a month was billed has committed by then.
IN_FLIGHT: Final = timedelta(days=1)
# So many models are named in what blocks an invoice.
NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Billable:
    """``quantity`` tokens at ``unit_price`` dollars a million that no line holds yet (negative:
    lines hold too many). ``user_id`` none: the organisation's own, or all of it."""

    period: date
    user_id: UUID | None
    provider: str
    model: str
    token_type: str
    unit_price: Decimal
    quantity: int
    is_estimated: bool


# User, provider, model, kind of token, price.
_Key = tuple[UUID | None, str, str, str, Decimal]

# Summed by price first, then split by kind of token: one pass over a month of some organisations.
_USED: Final[LiteralString] = """
WITH used AS (
    SELECT organisation_id, {used_by} AS user_id, provider, model, purpose = 'embedding' AS embeds,
        price_input, price_cached_input, price_cache_write, price_output,
        sum(input_tokens - cached_input_tokens - cache_write_tokens) AS input,
        sum(cached_input_tokens) AS cached, sum(cache_write_tokens) AS written,
        sum(output_tokens) AS output,
        bool_or(is_estimated OR pricing = 'flat') AS is_estimated
    FROM billing_app_usagerecord
    WHERE organisation_id = ANY(%(organisations)s)
        AND occurred_at >= %(start)s AND occurred_at < %(end)s AND cost > 0
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
)
SELECT organisation_id, user_id, provider, model, kind.token_type, kind.price,
    sum(kind.tokens)::bigint, bool_or(is_estimated)
FROM used CROSS JOIN LATERAL (VALUES
    (CASE WHEN embeds THEN 'embedding' ELSE 'input' END, price_input, input),
    ('cached_input', price_cached_input, cached),
    ('cache_write', price_cache_write, written),
    ('output', price_output, output)
) AS kind (token_type, price, tokens)
WHERE kind.price > 0 AND kind.tokens > 0
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1 LIMIT %(rows)s
"""
_BY_USER: Final = _USED.format(used_by="user_id")
_TOGETHER: Final = _USED.format(used_by="NULL::uuid")

_HELD: Final = """
SELECT i.user_id, l.provider, l.model, l.token_type, l.unit_price, sum(l.quantity)::bigint
FROM billing_app_invoiceline l JOIN billing_app_invoice i ON i.id = l.invoice_id
WHERE l.organisation_id = %(organisation)s AND l.period = %(period)s
    AND i.kind = 'invoice' AND i.replaced_by_id IS NULL
GROUP BY 1, 2, 3, 4, 5
"""

# Postgres believes in as many groups as rows, and would sort millions of them on disk: there are a
# few thousand, which fit into a table of hashes. Beyond this memory it goes on in files.
_SETTINGS: Final = """
SET LOCAL work_mem = '64MB'; SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off
"""

# Rows of months that were billed which have come since. ``since`` is a constant, so that the BRIN
# index of recorded_at is used; the months' own cutoffs say the rest.
_LATE: Final = """
SELECT DISTINCT u.organisation_id, u.billing_period
FROM billing_app_usagerecord u JOIN billing_app_billedperiod b
    ON b.organisation_id = u.organisation_id AND b.period = u.billing_period
WHERE u.recorded_at >= %(since)s AND u.occurred_at < %(start)s
    AND u.organisation_id = ANY(%(organisations)s)
    AND (u.cost > 0 OR u.pricing = 'missing')
    AND b.status = 'done' AND b.cutoff < coalesce(%(before)s::timestamptz, 'infinity')
    AND u.recorded_at >= b.cutoff - %(in_flight)s
"""

_DUE: Final = """
SELECT o.id, month.period::date
FROM accounts_organisation o
CROSS JOIN LATERAL (
    SELECT min(occurred_at) AS first FROM billing_app_usagerecord WHERE organisation_id = o.id
) used
CROSS JOIN LATERAL generate_series(
    date_trunc('month', used.first AT TIME ZONE 'UTC'), %(newest)s::timestamp, '1 month'
) AS month (period)
WHERE month.period >= %(oldest)s::timestamp AND NOT EXISTS (
    SELECT FROM billing_app_billedperiod b
    WHERE b.organisation_id = o.id AND b.period = month.period::date AND b.status = 'done'
)
"""

_BUSY: Final = """
SELECT o.id FROM unnest(%(organisations)s::uuid[]) AS o (id) WHERE EXISTS (
    SELECT FROM billing_app_usagerecord u WHERE u.organisation_id = o.id
        AND u.occurred_at >= %(start)s AND u.occurred_at < %(end)s
) OR EXISTS (
    SELECT FROM billing_app_usagerecord u WHERE u.organisation_id = o.id
        AND u.billing_period <= %(period)s AND u.pricing = 'missing'
)
"""


def used_in(
    period: date,
    organisation_ids: Collection[UUID],
    *,
    per: str = InvoicePer.USER,
    most: int | None = None,
) -> dict[UUID, list[Billable]]:
    """What organisations have used in a month: one aggregate, which reads each page of it once.

    Unpriced usage is not in it. In the order of keys, up to ``most`` sums: who would exceed them,
    and all after, are left out; others without usage are there.
    """
    start, end = bounds(period)
    wanted = sorted(set(organisation_ids))
    limit = None if most is None else most + 1
    values = {"organisations": wanted, "start": start, "end": end, "rows": limit}
    with transaction.atomic():
        _set(_SETTINGS)
        rows = _rows(_BY_USER if per == InvoicePer.USER else _TOGETHER, values)
        # Nothing was written; it takes the settings back, also within another transaction.
        transaction.set_rollback(True)
    if most is not None and len(rows) > most:
        first_left_out = rows[-1][0]
        wanted = [each for each in wanted if each < first_left_out]
    found: dict[UUID, list[Billable]] = {each: [] for each in wanted}
    for organisation_id, *row in rows:
        if organisation_id in found:
            found[organisation_id].append(Billable(period, *row))
    return found


def billable(
    organisation_id: UUID, period: date, per: str, used: Collection[Billable] | None = None
) -> list[Billable]:
    """What of one month is on no invoice that counts; ``per``: an ``InvoicePer``. Unordered.

    The caller holds the organisation's billing account, so that lines stay as they are. ``used``:
    what was summed by user before that. It does for a month without lines; where there are any,
    they may hold what came after it, and usage is summed anew.
    """
    held = _rows(_HELD, {"organisation": organisation_id, "period": period})
    if used is None or held:
        used = used_in(period, [organisation_id], per=per)[organisation_id]
    is_by_user = per == InvoicePer.USER
    left: dict[_Key, int] = {}
    estimated: set[_Key] = set()
    for part in used:
        user_id = part.user_id if is_by_user else None
        key = (user_id, part.provider, part.model, part.token_type, part.unit_price)
        left[key] = left.get(key, 0) + part.quantity
        if part.is_estimated:
            estimated.add(key)
    for user_id, provider, model, token_type, unit_price, quantity in held:
        key = (user_id if is_by_user else None, provider, model, token_type, unit_price)
        left[key] = left.get(key, 0) - quantity
    return [
        Billable(period, *key, quantity, key in estimated)
        for key, quantity in left.items()
        if quantity
    ]


def late_months(
    organisation_ids: Collection[UUID], *, before: date, billed_before: datetime | None = None
) -> dict[UUID, list[date]]:
    """Months before ``before`` that were billed, and of which usage has come in since.

    ``billed_before``: only those billed, or last looked at, before that moment.
    """
    billed = BilledPeriod.objects.filter(
        organisation_id__in=organisation_ids,
        status=BilledStatus.DONE,
        period__lt=before,
    )
    if billed_before is not None:
        billed = billed.filter(cutoff__lt=billed_before)
    oldest: datetime | None = billed.aggregate(oldest=Min("cutoff"))["oldest"]
    if oldest is None:
        return {}
    values = {
        "since": oldest - IN_FLIGHT,
        "start": bounds(before)[0],
        "organisations": list(organisation_ids),
        "before": billed_before,
        "in_flight": IN_FLIGHT,
    }
    found: dict[UUID, list[date]] = {}
    for organisation_id, period in sorted(_rows(_LATE, values)):
        found.setdefault(organisation_id, []).append(period)
    return found


def due_months(newest: date, oldest: date = date.min) -> list[tuple[date, UUID]]:
    """Months up to ``newest`` that have not been billed, in order, of organisations from their
    first use on (months without any use among them)."""
    found = _rows(_DUE, {"newest": newest, "oldest": oldest})
    return sorted((period, organisation_id) for organisation_id, period in found)


def busy_in(organisation_ids: Collection[UUID], period: date) -> set[UUID]:
    """Those with usage in the month, or with usage up to it that has no price."""
    start, end = bounds(period)
    values = {"organisations": list(organisation_ids), "start": start, "end": end, "period": period}
    return {row[0] for row in _rows(_BUSY, values)}


def unpriced(organisation_id: UUID, period: date) -> tuple[int, list[str]]:
    """How many calls up to the month have no price, and some of their models
    (``openai gpt-9``)."""
    found = (
        UsageRecord.objects.filter(
            organisation_id=organisation_id, pricing=Pricing.MISSING, billing_period__lte=period
        )
        .values_list("provider", "model")
        .annotate(calls=Count("pk"))
        .order_by("provider", "model")
    )
    models = list(found)
    names = [f"{provider} {model}" for provider, model, _ in models[:NAMED]]
    return sum(calls for *_, calls in models), names


def waiting_for_prices(organisation_ids: Collection[UUID], period: date) -> list[UUID]:
    """Those with calls up to the month that have no price."""
    found = UsageRecord.objects.filter(
        organisation_id__in=organisation_ids, pricing=Pricing.MISSING, billing_period__lte=period
    )
    keys = found.order_by("organisation_id").values_list("organisation_id", flat=True).distinct()
    return [key for key in keys if key]


def database_now() -> datetime:
    """The clock that ``recorded_at`` goes by."""
    moment: datetime = _rows("SELECT clock_timestamp()", {})[0][0]
    return moment


def _set(settings: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(settings)


def _rows(sql: str, values: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: Sequence[tuple[Any, ...]] = cursor.fetchall()
    return found
