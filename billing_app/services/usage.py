"""Recording of usage: one row for each call of a provider, priced, counted once."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from billing_app.models import BegunCall, Pricing, UsageRecord
from billing_app.runtime.pricing import Priced, price_use
from billing_app.services import budgets, rolling_up
from billing_app.services.prices import prices_for
from billing_app.services.wallets import MAKERS_OUT
from billing_app.types.periods import period_of
from billing_app.types.usage import Use
from one_project.accounts.models import Event, Organisation
from one_project.accounts.services.events import record_event
from one_project.common import metrics
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line

# How far a clock may be ahead.
TOLERANCE: Final = timedelta(minutes=5)
# A count beyond is no count; what it costs would not fit either.
MOST_TOKENS: Final = 10**12
# So many rows are written, or priced anew, at once.
BATCH: Final = 500
COUNTS: Final = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)
PRICED: Final = (
    "pricing",
    "model",
    "price",
    "cost",
    "price_input",
    "price_cached_input",
    "price_cache_write",
    "price_output",
)
# The team of the organisation that the person has been in longest.
_TEAM: Final = sql.SQL("""(
    SELECT m.team_id FROM accounts_teammember m JOIN accounts_team t ON t.id = m.team_id
    WHERE t.organisation_id = %s AND m.user_id = %s ORDER BY m.id LIMIT 1
)""")
# Written on every answer: teams and the lock of wallets' makers come with it, not one by one.
_INSERT: Final = """
INSERT INTO {table} ({columns}) VALUES {rows} ON CONFLICT (id) DO NOTHING
RETURNING id, recorded_at, team_id, CASE WHEN cost > 0 THEN {makers_out} END
"""


def record_usage(uses: Sequence[Use]) -> dict[UUID, UsageRecord]:
    """Store uses, each once, and count them in budgets; in the caller's transaction.

    Returns the row of every id, also of those recorded before, which stay as they are. Raises
    InvalidInput for counts that cannot be and moments in the future, ValueError for naive ones.
    """
    for use in uses:
        _check(use)
    # The first of each id; in one order everywhere, so that no two wait for each other.
    once = {use.id: use for use in reversed(uses)}
    ordered = sorted(once, key=lambda key: (str(once[key].organisation_id), key))
    with transaction.atomic(savepoint=False):
        return _record({key: _cleaned(once[key]) for key in ordered})


def fill_missing_prices(organisation_id: UUID | None = None) -> int:
    """Price what had no price when it was recorded, where there is one by now; returns how many.

    Of one organisation, or of all. A transaction for every few hundred rows.
    """
    rows = UsageRecord.objects.filter(pricing=Pricing.MISSING)
    if organisation_id is not None:
        rows = rows.filter(organisation_id=organisation_id)
    filled, last = 0, UUID(int=0)
    while True:
        with transaction.atomic():
            rolling_up.hold_off()
            batch = list(rows.filter(pk__gt=last).order_by("pk").select_for_update()[:BATCH])
            if not batch:
                return filled
            filled += _fill(batch)
            last = batch[-1].pk


def _record(uses: dict[UUID, Use]) -> dict[UUID, UsageRecord]:
    # First of all, so that who records a call for lost and who was only slow wait here.
    BegunCall.objects.filter(pk__in=uses).delete()
    prices = prices_for(uses.values())
    rows = [_row(use, price_use(use, prices)) for use in uses.values()]
    added: dict[UUID, UsageRecord] = {}
    for start in range(0, len(rows), BATCH):
        added |= _insert(rows[start : start + BATCH])
    _alert([row for row in added.values() if row.pricing == Pricing.MISSING])
    held = {use.reservation_id for use in uses.values() if use.reservation_id}
    budgets.settle(list(added.values()), held, are_makers_out=True)
    before = uses.keys() - added.keys()
    return added | (UsageRecord.objects.in_bulk(before) if before else {})


def _check(use: Use) -> None:
    if use.occurred_at.tzinfo is None:
        raise ValueError("A moment has a time zone.")
    if use.occurred_at > timezone.now() + TOLERANCE:
        raise InvalidInput("Usage cannot be from the future.")
    for name in COUNTS:
        if not 0 <= getattr(use, name) <= MOST_TOKENS:
            raise InvalidInput(f"A count of tokens is 0 to {MOST_TOKENS:,}.", detail=name)
    if use.cached_input_tokens + use.cache_write_tokens > use.input_tokens:
        raise InvalidInput("Cached tokens are part of the input: there cannot be more of them.")
    if use.reasoning_tokens > use.output_tokens:
        raise InvalidInput("Reasoning is part of the output: there cannot be more of it.")


def _cleaned(use: Use) -> Use:
    return replace(
        use,
        purpose=clean_line(use.purpose, 10),
        provider=clean_line(use.provider, 64),
        model_requested=clean_line(use.model_requested, 120),
        model_returned=clean_line(use.model_returned, 120),
        service_tier=clean_line(use.service_tier, 16).lower(),
        agent_name=clean_line(use.agent_name, 120),
    )


def _row(use: Use, priced: Priced) -> UsageRecord:
    return _with_price(
        UsageRecord(
            id=use.id,
            organisation_id=use.organisation_id,
            user_id=use.user_id,
            team_id=use.team_id,
            agent_id=use.agent_id,
            agent_name=use.agent_name,
            thread_id=use.thread_id,
            turn_id=use.turn_id,
            message_id=use.message_id,
            purpose=use.purpose,
            provider=use.provider,
            model_requested=use.model_requested,
            model_returned=use.model_returned,
            service_tier=use.service_tier,
            occurred_at=use.occurred_at,
            billing_period=period_of(use.occurred_at),
            input_tokens=use.input_tokens,
            cached_input_tokens=use.cached_input_tokens,
            cache_write_tokens=use.cache_write_tokens,
            output_tokens=use.output_tokens,
            reasoning_tokens=use.reasoning_tokens,
            is_estimated=use.is_estimated or priced.pricing == Pricing.FLAT,
            is_aborted=use.is_aborted,
        ),
        priced,
    )


def _with_price(row: UsageRecord, priced: Priced) -> UsageRecord:
    row.model = priced.model
    row.pricing = priced.pricing
    row.price = priced.snapshot
    row.cost = priced.cost
    row.price_input = priced.price_input
    row.price_cached_input = priced.price_cached_input
    row.price_cache_write = priced.price_cache_write
    row.price_output = priced.price_output
    return row


def _insert(rows: list[UsageRecord]) -> dict[UUID, UsageRecord]:
    """Those that were not there, with their teams; one statement. Django's ``ignore_conflicts``
    does not tell which, and only they may be counted in budgets. Waits for others who are adding
    the same."""
    fields = [each for each in UsageRecord._meta.concrete_fields if each.name != "recorded_at"]
    values: list[Any] = []
    placed = []
    for row in rows:
        places: list[sql.Composable] = []
        for each in fields:
            if each.name == "team_id" and row.team_id is None:
                places.append(_TEAM)
                values += [row.organisation_id, row.user_id]
            else:
                places.append(sql.Placeholder())
                values.append(each.get_db_prep_save(each.pre_save(row, True), connection))
        placed.append(sql.SQL("({})").format(sql.SQL(", ").join(places)))
    statement = sql.SQL(_INSERT).format(
        table=sql.Identifier(UsageRecord._meta.db_table),
        columns=sql.SQL(", ").join(sql.Identifier(each.attname) for each in fields),
        rows=sql.SQL(", ").join(placed),
        makers_out=MAKERS_OUT,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(cursor.connection), values)
        added = {key: (moment, team_id) for key, moment, team_id, _ in cursor.fetchall()}
    for row in rows:
        if row.pk in added:
            row.recorded_at, row.team_id = added[row.pk]
            row._state.adding = False
            row._state.db = connection.alias
    return {row.pk: row for row in rows if row.pk in added}


def _alert(rows: list[UsageRecord]) -> None:
    """Say in the event log, once for each organisation, model and day, what has no price."""
    if not rows:
        return
    count = partial(metrics.count, "one_usage_without_price_total", len(rows))
    transaction.on_commit(count)
    models = {(row.organisation_id, row.provider, row.model) for row in rows if row.organisation_id}
    organisations = Organisation.objects.in_bulk({organisation for organisation, *_ in models})
    for organisation_id, provider, model in models:
        _say_missing(organisations[organisation_id], provider, model)


def _say_missing(organisation: Organisation, provider: str, model: str) -> None:
    target = f"model:{provider}/{model}"[:120]
    today = timezone.now().astimezone(UTC).date()
    with connection.cursor() as cursor:
        # Whoever else holds it is saying it now; waiting could end in a deadlock.
        key = f"price_missing {organisation.pk} {target}"
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [key])
        if not cursor.fetchone()[0]:
            return
    said = Event.objects.filter(
        organisation=organisation,
        kind="price_missing",
        target=target,
        created_at__gte=datetime.combine(today, time(), UTC),
    )
    if not said.exists():
        data = {"provider": provider, "model": model}
        record_event(organisation, "price_missing", target=target, data=data)


def _fill(rows: Collection[UsageRecord]) -> int:
    """Price those of ``rows``, which are locked, that can be; in the caller's transaction."""
    uses = {row.pk: _use_of(row) for row in rows}
    prices = prices_for(uses.values())
    found = []
    for row in rows:
        priced = price_use(uses[row.pk], prices)
        if priced.pricing == Pricing.LISTED:
            found.append(_with_price(row, priced))
    if not found:
        return 0
    UsageRecord.objects.bulk_update(found, PRICED)
    rolling_up.look_again_from(min(row.recorded_at for row in found))
    budgets.settle(found, ())
    return len(found)


def _use_of(row: UsageRecord) -> Use:
    return Use(
        id=row.pk,
        occurred_at=row.occurred_at,
        provider=row.provider,
        model_requested=row.model_requested,
        model_returned=row.model_returned,
        service_tier=row.service_tier,
        purpose=row.purpose,
        organisation_id=row.organisation_id,
        **{name: getattr(row, name) for name in COUNTS},
    )
