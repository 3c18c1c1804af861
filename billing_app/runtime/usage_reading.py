"""Sums of usage: of an organisation or a person, for a UTC month, by whatever dimension.

Days that have been rolled up come from the roll-ups, later ones from the rows; both in one
statement. Where a roll-up lacks a combination (an agent's calls by one person) the rows of the
month are summed: right, and slower; ``is_summed_up`` says which it will be.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import BigIntegerField, Count, DateField, DecimalField, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from billing_app.models import UsageDaily, UsageDailyByPerson, UsageRecord
from billing_app.types.money import ZERO
from billing_app.types.periods import bounds, next_period

# Filter for what has no agent, team or person; as an id in the address.
NOBODY: Final = "none"

_BY_AGENT: Final = frozenset({"day", "provider", "model", "agent_id", "agent_name"})
_BY_PERSON: Final = frozenset({"day", "provider", "model", "user_id", "team_id"})
_COUNTS: Final = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)

Rows = QuerySet[Any, tuple[Any, ...]]
Subject = UUID | str | None  # an id, NOBODY, or None: not asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose usage, of which month (its first day), and what of it."""

    organisation_id: UUID
    period: date
    provider: str = ""
    model: str = ""
    agent_id: Subject = None
    team_id: Subject = None
    user_id: Subject = None

    @property
    def asked(self) -> dict[str, Any]:
        """What is narrowed, by column."""
        names = ("provider", "model", "agent_id", "team_id", "user_id")
        return {name: value for name in names if (value := getattr(self, name))}


@dataclass(frozen=True, slots=True)
class Sums:
    """What calls come to. ``cost``: exact US dollars; what has no price is not in it."""

    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    estimated_calls: int = 0
    unpriced_calls: int = 0
    cost: Decimal = ZERO
    last_day: date = date.min  # UTC

    def __add__(self, other: "Sums") -> "Sums":
        sums: dict[str, Any] = {name: getattr(self, name) + getattr(other, name) for name in _ADDED}
        return Sums(**sums, last_day=max(self.last_day, other.last_day))

    @property
    def cached_percent(self) -> int | None:
        """How much of the input came from caches; None without input."""
        if not self.input_tokens:
            return None
        return round(Decimal(100 * self.cached_input_tokens) / self.input_tokens)


_ADDED: Final = tuple(field.name for field in fields(Sums) if field.name != "last_day")
Key = tuple[Any, ...]


def total(sums: Iterable[Sums]) -> Sums:
    """All of them together."""
    found = Sums()
    for each in sums:
        found += each
    return found


def is_summed_up(wanted: Wanted, by: Iterable[str] = ()) -> bool:
    """Whether a roll-up answers it; else all rows of the month are read."""
    return _roll_up(wanted, by) is not None


def read_sums(
    wanted: Wanted, by: tuple[str, ...] = (), *, through: date | None = None
) -> dict[Key, Sums]:
    """Sums for each value of ``by``: columns out of ``day``, ``provider``, ``model``, ``agent_id``,
    ``agent_name``, ``team_id``, ``user_id``.

    ``through``: what ``services.rolling_up.rolled_through`` says; None reads rows alone. It is one
    statement.
    """
    found: dict[Key, Sums] = {}
    columns = by or ("provider",)
    for row in _statement(wanted, columns, through):
        key, values = row[: len(by)], row[len(columns) :]
        given: list[Any] = [*map(int, values[:-2]), *values[-2:]]
        sums = Sums(*given)
        found[key] = found[key] + sums if key in found else sums
    return found


def count_conversations(wanted: Wanted) -> tuple[int, Decimal]:
    """How many threads had calls, and what those calls came to. Reads all rows of the month."""
    rows = _rows(wanted, bounds(wanted.period)[0]).filter(thread_id__isnull=False)
    found = rows.aggregate(
        threads=Count("thread_id", distinct=True),
        spent=Coalesce(Sum("cost"), ZERO, output_field=DecimalField()),
    )
    return found["threads"], found["spent"]


def records(wanted: Wanted) -> QuerySet[UsageRecord]:
    """The rows themselves, in no order."""
    return _rows(wanted, bounds(wanted.period)[0])


def _roll_up(
    wanted: Wanted, by: Iterable[str]
) -> type[UsageDaily] | type[UsageDailyByPerson] | None:
    needed = {*by, *wanted.asked}
    if needed <= _BY_AGENT:
        return UsageDaily
    return UsageDailyByPerson if needed <= _BY_PERSON else None


def _statement(wanted: Wanted, by: tuple[str, ...], through: date | None) -> Rows:
    start, end = wanted.period, next_period(wanted.period)
    model = _roll_up(wanted, by)
    if model is None or through is None or through <= start:
        return _summed_rows(_rows(wanted, bounds(start)[0]), by)
    kept = model._default_manager.filter(day__gte=start, day__lt=min(end, through))
    summed = _grouped(
        kept.filter(_narrowed(wanted)),
        by,
        calls=_sum("calls"),
        **{name: _sum(name) for name in _COUNTS},
        estimated=_sum("estimated_calls"),
        unpriced=_sum("unpriced_calls"),
        last=Max("day"),
    )
    if through >= end:
        return summed
    later = _rows(wanted, datetime.combine(through, time(), tzinfo=UTC))
    both: Rows = summed.union(_summed_rows(later, by), all=True)
    return both


def _rows(wanted: Wanted, since: datetime) -> QuerySet[UsageRecord]:
    end = bounds(wanted.period)[1]
    rows = UsageRecord.objects.filter(occurred_at__gte=since, occurred_at__lt=end)
    return rows.filter(_narrowed(wanted))


def _summed_rows(rows: QuerySet[UsageRecord], by: tuple[str, ...]) -> Rows:
    if "day" in by:
        rows = rows.annotate(day=TruncDate("occurred_at", tzinfo=UTC, output_field=DateField()))
    return _grouped(
        rows,
        by,
        calls=Count("*"),
        **{name: _sum(name) for name in _COUNTS},
        estimated=Count("pk", filter=Q(is_estimated=True) | Q(pricing="flat")),
        unpriced=Count("pk", filter=Q(pricing="missing")),
        last=TruncDate(Max("occurred_at"), tzinfo=UTC, output_field=DateField()),
    )


def _grouped(rows: QuerySet[Any], by: tuple[str, ...], *, last: Any, **sums: Any) -> Rows:
    # No annotation may have the name of a column.
    named = {f"sum_of_{name}": value for name, value in sums.items()}
    spent = Coalesce(Sum("cost"), ZERO, output_field=DecimalField())
    grouped = rows.order_by().values(*by).annotate(**named, sum_of_cost=spent, last=last)
    rows_of: Rows = grouped.values_list(*by, *named, "sum_of_cost", "last")
    return rows_of


def _sum(name: str) -> Any:
    return Coalesce(Sum(name), 0, output_field=BigIntegerField())


def _narrowed(wanted: Wanted) -> Q:
    found = Q(organisation_id=wanted.organisation_id)
    for name, value in wanted.asked.items():
        found &= Q(**{f"{name}__isnull": True}) if value == NOBODY else Q(**{name: value})
    return found
