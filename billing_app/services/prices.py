"""Prices: for uses, from the library, and as people set them.

What holds never changes backwards: a row in force is closed and followed by another. Two rows for
the same thing never overlap; it is the database that refuses them.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from billing_app.models import ModelPrice, PriceSource, TokenType
from billing_app.runtime.pricing import Name, Prices, flat, names_of, price_use
from billing_app.services.price_library import (
    ENDED_BY,
    SMALLEST,
    Drift,
    Key,
    Seeded,
    amount_at,
    is_of_people,
    listed_prices,
    plan_of,
    span_of,
)
from billing_app.types.usage import Use
from one_project.accounts.models import User
from one_project.common.errors import Conflict, InvalidInput, NotFound
from one_project.common.text import clean_line

NO_ATTEMPT: Final = UUID(int=0)
# Of advisory locks: one seeding at a time.
LOCK: Final = 0x0E5_0117
# Dollars for a million tokens; beyond it is a slip of the finger.
MOST: Final = Decimal(1_000_000)


def prices_for(uses: Iterable[Use]) -> Prices:
    """The rows that may price the uses: one query, and a second for names that only the library
    can tell."""
    uses = list(uses)
    exact = {
        (use.provider, said)
        for use in uses
        for said in (use.model_returned, use.model_requested)
        if said
    }
    rows = _rows_of(exact)
    known = {(row.provider, row.model) for row in rows}
    told = {
        name
        for use in uses
        if (use.provider, use.model_returned or use.model_requested) not in known
        for said in (use.model_returned, use.model_requested)
        for name in names_of(use.provider, said)
    }
    return Prices([*rows, *_rows_of(told - exact)])


def _rows_of(names: set[Name]) -> list[ModelPrice]:
    models: dict[str, list[str]] = {}
    for provider, model in names:
        models.setdefault(provider, []).append(model)
    wanted = Q(pk=None)
    for provider, of_provider in models.items():
        wanted |= Q(provider=provider, model__in=of_provider)
    return list(ModelPrice.objects.filter(wanted)) if models else []


def estimate_cost(
    provider: str,
    model: str,
    *,
    input_tokens: int,
    output_tokens: int,
    at: datetime,
    service_tier: str = "",
    purpose: str = "answer",
) -> Decimal:
    """What a call would cost at most, in US dollars; flat where no other price is known. How much
    of the prompt is written to a cache, which may cost more, nobody knows: all or nothing."""
    use = Use(
        id=NO_ATTEMPT,
        occurred_at=at,
        provider=provider,
        model_requested=model,
        service_tier=service_tier,
        purpose=purpose,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )
    prices = prices_for([use])
    written = replace(use, cache_write_tokens=input_tokens)
    costs = [cost for each in (use, written) if (cost := price_use(each, prices).cost) is not None]
    return max(costs) if costs else flat(use).cost or Decimal(0)


def seed_prices() -> Seeded:
    """Bring the rows of the library up to the installed version; again, it changes nothing.

    A price that changed is closed now, and followed from now on: what has been used stays as it
    was. What a person has set or ended is left to them.
    """
    listed = listed_prices()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        plan = plan_of(listed, _rows_by_key(), timezone.now())
        ModelPrice.objects.filter(pk__in=plan.dropped).delete()
        ModelPrice.objects.bulk_update(plan.closed, ["valid_to", "updated_at"], batch_size=500)
        ModelPrice.objects.bulk_create(plan.added)
    return Seeded(
        version=listed.version,
        added=len(plan.added),
        closed=len(plan.closed),
        unchanged=plan.unchanged,
        kept_of_people=plan.kept,
        with_hours=listed.with_hours,
    )


def price_drift() -> list[Drift]:
    """What differs now between the rows and the library, by provider and model."""
    now, found = timezone.now(), []
    listed, rows = listed_prices().spans, _rows_by_key()
    for key in sorted(listed.keys() | rows.keys()):
        there = rows.get(key, [])
        theirs = amount_at(listed.get(key, []), now)
        ours = amount_at(map(span_of, there), now)
        if is_of_people(there):
            kind = "person"
        elif ours == theirs:
            continue
        else:
            kind = "missing" if ours is None else "gone" if theirs is None else "differs"
        found.append(Drift(kind=kind, key=key, ours=ours, listed=theirs))
    return found


def _rows_by_key() -> dict[Key, list[ModelPrice]]:
    """All rows, oldest first."""
    found: dict[Key, list[ModelPrice]] = {}
    for row in ModelPrice.objects.order_by("valid_from"):
        found.setdefault(Key(*(getattr(row, name) for name in Key._fields)), []).append(row)
    return found


def add_price(
    *,
    provider: str,
    model: str,
    token_type: str,
    amount: Decimal,
    valid_from: datetime,
    valid_to: datetime | None = None,
    service_tier: str = "",
    context_from: int = 0,
    note: str = "",
    by: User | None = None,
) -> ModelPrice:
    """A price of a person, in US dollars a million tokens; it may begin in the past, where there is
    none. Raises InvalidInput, also where another one holds at that time, ValueError for naive
    moments.
    """
    price = ModelPrice(
        provider=_name(provider, "provider", 64),
        model=_name(model, "model", 120),
        token_type=token_type,
        service_tier=clean_line(service_tier, 16).lower(),
        context_from=context_from,
        amount=_amount(amount),
        valid_from=valid_from,
        valid_to=valid_to,
        note=clean_line(note, 200),
        meta={"by": str(by.pk)} if by else {},
    )
    if token_type not in TokenType.values:
        raise InvalidInput(f"A price is of {', '.join(TokenType.values)} tokens.")
    if not 0 <= context_from < 2**31:
        raise InvalidInput("A context begins at 0 tokens or more.")
    if valid_from.tzinfo is None or (valid_to and valid_to.tzinfo is None):
        raise ValueError("A moment has a time zone.")
    if valid_to is not None and valid_to <= valid_from:
        raise InvalidInput("A price ends after it begins.")
    with transaction.atomic():
        return _saved(price)


def change_price(
    price_id: UUID,
    *,
    amount: Decimal,
    at: datetime | None = None,
    note: str = "",
    by: User | None = None,
) -> ModelPrice:
    """From ``at`` on (now, if not given; never in the past) the price is ``amount``: the row ends
    then, and the one returned follows. A row that has not begun by then is edited.

    Raises InvalidInput, NotFound, Conflict for a row that has ended.
    """
    amount, now = _amount(amount), timezone.now()
    at = _not_past(at, now)
    with transaction.atomic():
        price = _locked(price_id, now)
        if price.valid_to is not None and price.valid_to <= at:
            raise InvalidInput("The price ends before that.")
        meta = {"by": str(by.pk)} if by else {}
        if price.valid_from >= at:
            price.amount, price.source, price.source_version = amount, PriceSource.PERSON, ""
            price.note, price.meta = clean_line(note, 200) or price.note, price.meta | meta
            return _saved(price)
        follower = ModelPrice(
            **{name: getattr(price, name) for name in Key._fields},
            amount=amount,
            valid_from=at,
            valid_to=price.valid_to,
            note=clean_line(note, 200),
            meta=meta,
        )
        price.valid_to = at
        _saved(price)
        return _saved(follower)


def end_price(price_id: UUID, *, at: datetime | None = None, by: User | None = None) -> None:
    """No price from ``at`` on (now, if not given; never in the past): what is used then blocks
    invoices until there is one. A row that would not have begun by then goes.

    Raises InvalidInput, NotFound, Conflict for a row that has ended.
    """
    now = timezone.now()
    at = _not_past(at, now)
    with transaction.atomic():
        price = _locked(price_id, now)
        if price.valid_from >= at:
            price.delete()
            return
        if price.valid_to is not None and price.valid_to <= at:
            raise InvalidInput("The price ends before that.")
        price.valid_to = at
        # The next version of the library does not bring it back.
        price.meta |= {ENDED_BY: str(by.pk) if by else ""}
        _saved(price)


def _locked(price_id: UUID, now: datetime) -> ModelPrice:
    price = ModelPrice.objects.select_for_update().filter(pk=price_id).first()
    if price is None:
        raise NotFound
    if price.valid_to is not None and price.valid_to <= now:
        raise Conflict("This price has ended; what was used by then stays as it is.")
    return price


def _saved(price: ModelPrice) -> ModelPrice:
    """Raises InvalidInput where another price holds: it is the database that finds out."""
    try:
        with transaction.atomic():
            price.save()
    except IntegrityError as error:
        if "model_price_no_overlap" not in str(error):
            raise
        raise InvalidInput(
            "There is another price for these tokens at that time. Change or end that one, "
            "or choose other dates."
        ) from error
    return price


def _amount(amount: Decimal) -> Decimal:
    if not amount.is_finite() or not 0 <= amount <= MOST:
        raise InvalidInput(f"A price is 0 to {MOST:,} US dollars for a million tokens.")
    if amount != amount.quantize(SMALLEST):
        raise InvalidInput("A price has up to 6 decimals.")
    return amount


def _name(value: str, what: str, length: int) -> str:
    name = clean_line(value, length + 1)
    if not 0 < len(name) <= length:
        raise InvalidInput(f"A {what} has 1 to {length} characters.")
    return name


def _not_past(at: datetime | None, now: datetime) -> datetime:
    if at is None:
        return now
    if at.tzinfo is None:
        raise ValueError("A moment has a time zone.")
    if at < now:
        raise InvalidInput("Prices do not change backwards: choose a moment from now on.")
    return at
