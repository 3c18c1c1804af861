"""What the calls of the catalogue cost when, asked of the pricing that real calls go through.

The rows are written by one statement, which cannot ask it for each call. So it is asked once for
each case that can differ: kind of call, time between two changes of price, size of the input, and
kinds of tokens used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise, product
from typing import Any, Final

from billing_app.models import ModelPrice, Pricing
from billing_app.runtime.pricing import Name, Priced, price_use
from billing_app.services.demo_usage.catalogue import Call
from billing_app.services.prices import prices_for
from billing_app.types.usage import Use
from one_project.common.ids import new_id

MOST_TOKENS: Final = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """Calls of one kind from ``since`` to before ``until`` with more input tokens than ``over``, up
    to ``upto``, which did or did not use the other kinds of tokens."""

    call: int
    since: datetime
    until: datetime
    over: int
    upto: int
    cached: bool
    written: bool
    said: bool
    failed: bool


@dataclass(frozen=True, slots=True)
class Tariff:
    """A case and its prices."""

    case: Case
    priced: Priced

    def to_json(self) -> dict[str, Any]:
        """As the statement reads it; prices as text, so that no digit is lost."""
        case, priced = self.case, self.priced
        prices = ("price_input", "price_cached_input", "price_cache_write", "price_output")
        return {
            "call": case.call,
            "since": case.since.isoformat(),
            "until": case.until.isoformat(),
            "over": case.over,
            "upto": case.upto,
            "cached": case.cached,
            "written": case.written,
            "said": case.said,
            "failed": case.failed,
            "model": priced.model,
            "pricing": str(priced.pricing),
            "price": priced.snapshot,
            **{
                name: None if (amount := getattr(priced, name)) is None else str(amount)
                for name in prices
            },
        }


def tariffs_of(calls: Sequence[Call], first: date, last: date) -> list[Tariff]:
    """All cases from ``first`` to before ``last`` (UTC days). Calls that had no price at some time
    are left out: they would block invoices."""
    since, until = _moment(first), _moment(last)
    firsts = [use_of(call, since, failed=failed) for call in calls for failed in (False, True)]
    known = prices_for(firsts)
    cases = [
        case
        for place, pair in enumerate(zip(firsts[::2], firsts[1::2], strict=True))
        for case in _cases(place, {known.name_of(use) for use in pair}, since, until)
        if _can_be(case, calls[place])
    ]
    uses = [_probe(case, calls) for case in cases]
    prices = prices_for(uses)
    made = [Tariff(case, price_use(use, prices)) for case, use in zip(cases, uses, strict=True)]
    missing = {one.case.call for one in made if one.priced.pricing == Pricing.MISSING}
    return [one for one in made if one.case.call not in missing]


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _cases(place: int, names: set[Name | None], since: datetime, until: datetime) -> Iterator[Case]:
    moments, sizes = {since, until}, {0, MOST_TOKENS}
    for provider, model in filter(None, names):
        rows = ModelPrice.objects.filter(provider=provider, model=model)
        for begins, ends, over in rows.values_list("valid_from", "valid_to", "context_from"):
            moments |= {at for at in (begins, ends) if at is not None and since < at < until}
            sizes.add(over)
    both = (True, False)
    # What failed said nothing.
    ends_as = ((True, False), (False, False), (False, True))
    for (begins, ends), (over, upto), cached, written, (said, failed) in product(
        pairwise(sorted(moments)), pairwise(sorted(sizes)), both, both, ends_as
    ):
        yield Case(place, begins, ends, over, upto, cached, written, said, failed)


def _can_be(case: Case, call: Call) -> bool:
    """Kinds of tokens that are never used need no price."""
    return (
        case.cached <= (call.cached > 0)
        and case.written <= (call.written > 0)
        and case.said <= (call.output[1] > 0)
    )


def _probe(case: Case, calls: Sequence[Call]) -> Use:
    """A call of that case, as small as it can be."""
    call = calls[case.call]
    return replace(
        use_of(call, case.since, failed=case.failed),
        input_tokens=case.over + 3,
        cached_input_tokens=int(case.cached),
        cache_write_tokens=int(case.written),
        output_tokens=int(case.said),
    )


def use_of(call: Call, at: datetime, *, failed: bool = False) -> Use:
    """A call of this kind, without tokens."""
    return Use(
        id=new_id(),
        occurred_at=at,
        provider=call.provider,
        model_requested=call.requested,
        model_returned="" if failed else call.returned,
        service_tier=call.tier,
        purpose=call.purpose,
    )
