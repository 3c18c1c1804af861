"""What the library of prices lists, as rows that could be ours.

Prices of ours are plain numbers with dates. What the library has beyond that (hours of the day,
pictures, searches, speech) is left out; models with dearer hours are told of.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from billing_app.models import ModelPrice, PriceSource, TokenType
from billing_app.runtime.pricing import price_list
from billing_app.types.money import PRICE_DIGITS

# Since when prices without a date are held to be right.
ALWAYS: Final = datetime(2020, 1, 1, tzinfo=UTC)
KINDS: Final = {
    "input_mtok": TokenType.INPUT,
    "cache_read_mtok": TokenType.CACHED_INPUT,
    "cache_write_mtok": TokenType.CACHE_WRITE,
    "output_mtok": TokenType.OUTPUT,
}
# Our names of service tiers, and what a request is like in the library for them.
TIERS: Final[Mapping[str, Mapping[str, str]]] = {
    "": {},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast"},
    "batch": {"processing": "batch"},
}
ENDED_BY: Final = "ended_by"  # in ``meta`` of a row of the library that a person has ended
SMALLEST: Final = Decimal(1).scaleb(-PRICE_DIGITS)


class Key(NamedTuple):
    """One thing that has a price at any moment."""

    provider: str
    model: str
    token_type: str
    service_tier: str
    context_from: int


class Span(NamedTuple):
    """A price from ``start`` (inclusive) to ``end`` (exclusive; None: open)."""

    start: datetime
    end: datetime | None
    amount: Decimal

    def clipped(self, start: datetime) -> "Span | None":
        """What of it is at or after ``start``."""
        if self.end is not None and self.end <= start:
            return None
        return self._replace(start=max(self.start, start))

    def overlaps(self, other: "Span") -> bool:
        return (self.end is None or other.start < self.end) and (
            other.end is None or self.start < other.end
        )


@dataclass(slots=True)
class Listed:
    """Spans of each key, oldest first, and the models some of whose prices were left out."""

    version: str
    spans: dict[Key, list[Span]] = field(default_factory=dict)
    with_hours: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """How many rows were added and closed; how many keys stayed, and were left to people.

    ``with_hours``: models with other prices at some hours, which are left out.
    """

    version: str
    added: int
    closed: int
    unchanged: int
    kept_of_people: int
    with_hours: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Where the table is not as the library, now. ``kind``: ``missing`` here, ``differs``,
    ``person`` (it is of a person, whatever it is) or ``gone`` from the library."""

    kind: str
    key: Key
    ours: Decimal | None
    listed: Decimal | None


@dataclass(slots=True)
class Plan:
    """What brings rows up to the library. ``closed`` have their new end, ``dropped`` have not begun
    yet; ``unchanged`` and ``kept`` (of people) count keys."""

    added: list[ModelPrice] = field(default_factory=list)
    closed: list[ModelPrice] = field(default_factory=list)
    dropped: list[UUID] = field(default_factory=list)
    unchanged: int = 0
    kept: int = 0


def listed_prices() -> Listed:
    """All that the installed version of the library lists."""
    import genai_prices

    found = Listed(genai_prices.__version__)
    for provider in price_list():
        for model in provider.models:
            _add_model(found, provider.id, model)
    return found


def _add_model(found: Listed, provider: str, model: Any) -> None:
    if any(_has_hours(each) for each in _conditional(model)):
        found.with_hours.append(f"{provider} {model.id}")
    starts = _starts(model)
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        for tier, context in TIERS.items():
            for name, price in _prices_at(model, start, context):
                for context_from, amount in _by_context(price):
                    key = Key(provider, model.id, KINDS[name], tier, context_from)
                    _add(found.spans.setdefault(key, []), Span(start, end, amount))


def _add(spans: list[Span], span: Span) -> None:
    """Append; a price that goes on is one span."""
    if spans and spans[-1].end == span.start and spans[-1].amount == span.amount:
        spans[-1] = spans[-1]._replace(end=span.end)
    else:
        spans.append(span)


def _conditional(model: Any) -> Iterable[Any]:
    """Everything of a model that may hold at some times only."""
    prices = model.prices if isinstance(model.prices, list) else []
    return [*prices, *(model.price_variants or ())]


def _starts(model: Any) -> list[datetime]:
    """The moments at which a price may change, the first being ALWAYS."""
    moments = {_start(each) for each in _conditional(model) if not _has_hours(each)}
    return sorted({ALWAYS, *(moment for moment in moments if moment > ALWAYS)})


def _start(conditional: Any) -> datetime:
    day: date | None = getattr(conditional.constraint, "start_date", None)
    return ALWAYS if day is None else datetime.combine(day, time(), UTC)


def _has_hours(conditional: Any) -> bool:
    return hasattr(conditional.constraint, "start_time")


def _prices_at(model: Any, at: datetime, context: Mapping[str, str]) -> Iterable[tuple[str, Any]]:
    """Names and prices that hold from ``at`` on: of the default tier, or those that the tier of
    ``context`` replaces. The library takes the last of the dated ones, and the first variant."""
    if not context:
        chosen = model.prices
        if isinstance(chosen, list):
            held = [each for each in chosen if not _has_hours(each) and _start(each) <= at]
            chosen = held[-1].prices if held else chosen[0].prices
        return _token_prices(chosen)
    replaced: dict[str, Any] = {}
    for variant in model.price_variants or ():
        if variant.when == context and not _has_hours(variant) and _start(variant) <= at:
            replaced = dict(_token_prices(variant.prices)) | replaced
    return replaced.items()


def _token_prices(prices: Any) -> list[tuple[str, Any]]:
    found = ((name, getattr(prices, name)) for name in KINDS)
    return [(name, price) for name, price in found if price is not None]


def _by_context(price: Any) -> list[tuple[int, Decimal]]:
    """From how many input tokens on which price holds."""
    if isinstance(price, Decimal):
        return [(0, _rounded(price))]
    tiers = {tier.start: _rounded(tier.price) for tier in price.tiers}
    return [(0, _rounded(price.base)), *((start, tiers[start]) for start in sorted(tiers) if start)]


def _rounded(price: Decimal) -> Decimal:
    return price.quantize(SMALLEST, rounding=ROUND_HALF_UP)


def plan_of(listed: Listed, rows: Mapping[Key, list[ModelPrice]], now: datetime) -> Plan:
    """What to do with ``rows`` (oldest first). Nothing before ``now`` changes, but what was never
    there is added as it is listed; what the library no longer has stays."""
    plan = Plan()
    for key, spans in listed.spans.items():
        there = rows.get(key, [])
        held = [span_of(row) for row in there]
        if not there:
            wanted = spans
        elif is_of_people(there):
            plan.kept += 1
            wanted = [span for span in spans if not any(map(span.overlaps, held))]
        elif _from(held, now) == (wanted := _from(spans, now)):
            plan.unchanged += 1
            continue
        else:
            _close(plan, there, now)
        plan.added += [_row(key, span, listed.version) for span in wanted]
    return plan


def _close(plan: Plan, rows: list[ModelPrice], now: datetime) -> None:
    for row in rows:
        if row.valid_from >= now:
            plan.dropped.append(row.pk)
        elif row.valid_to is None or row.valid_to > now:
            row.valid_to = row.updated_at = now
            plan.closed.append(row)


def is_of_people(rows: Iterable[ModelPrice]) -> bool:
    """Whether a person has set or ended any of them: then the library keeps out."""
    return any(row.source == PriceSource.PERSON or ENDED_BY in row.meta for row in rows)


def span_of(row: ModelPrice) -> Span:
    return Span(row.valid_from, row.valid_to, row.amount)


def amount_at(spans: Iterable[Span], at: datetime) -> Decimal | None:
    """The price at that moment."""
    held = (each.amount for each in spans if each.start <= at and (not each.end or at < each.end))
    return next(held, None)


def _from(spans: Iterable[Span], now: datetime) -> list[Span]:
    """What of ``spans`` holds from now on."""
    return [span for each in spans if (span := each.clipped(now))]


def _row(key: Key, span: Span, version: str) -> ModelPrice:
    return ModelPrice(
        **key._asdict(),
        amount=span.amount,
        valid_from=span.start,
        valid_to=span.end,
        source=PriceSource.LIBRARY,
        source_version=version[:32],
    )
