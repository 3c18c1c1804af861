"""The ledger of model calls: written with what they led to, and relieved of old raw values."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents_app.models import AICall
from agents_app.providers.events import Usage
from agents_app.runtime.recorded import RecordedCall
from billing_app.models import Pricing, UsageRecord
from billing_app.services.usage import MOST_TOKENS, record_usage
from billing_app.types.usage import Use
from one_project.common.text import clean_json, clean_line, clean_text

PURGE_BATCH = 500
MICROS: Final = Decimal(1_000_000)
# What providers call the tier that nobody asked for.
USUAL_TIERS: Final = frozenset({"", "auto", "default", "standard"})
LARGEST: Final = 2_147_483_647  # what a column of the ledger holds


def keep_calls(calls: Iterable[RecordedCall]) -> list[AICall]:
    """Store calls that have ended as rows of the ledger and as raw usage, with one key: either both
    are there or neither is. Each ``call.cost`` is known then.

    Joins the caller's transaction. What is stored already stays as it is, so that a repetition
    counts nothing twice.
    """
    found = list(calls)
    if not found:
        return []
    with transaction.atomic():
        records = record_usage([_use(call) for call in found])
        for call in found:
            call.cost = records[call.id].cost
        rows = [_row(call, records[call.id]) for call in found]
        return AICall.objects.bulk_create(rows, ignore_conflicts=True)


def with_costs(calls: Iterable[AICall]) -> list[AICall]:
    """The calls, each with its exact ``cost`` from raw usage; one query. Those from before there
    was raw usage have their own."""
    found = list(calls)
    records = UsageRecord.objects.in_bulk([call.pk for call in found]) if found else {}
    for call in found:
        record = records.get(call.pk)
        if record is not None:
            call.cost = record.cost
        elif call.cost_micros is not None:
            call.cost = call.cost_micros / MICROS
    return found


def _use(call: RecordedCall) -> Use:
    caller, usage = call.caller, _countable(call.usage)
    tier = clean_line(call.service_tier, 16).lower()
    return Use(
        id=call.id,
        # A clock that was set back meanwhile must not fail an answer that is there.
        occurred_at=min(call.ended_at, timezone.now()),
        provider=call.provider,
        model_requested=call.model_requested or call.model,
        model_returned=call.model_returned,
        service_tier="" if tier in USUAL_TIERS else tier,
        purpose=caller.purpose,
        organisation_id=caller.organisation_id,
        user_id=caller.user_id,
        team_id=caller.team_id,
        agent_id=caller.agent_id,
        agent_name=caller.agent_name,
        thread_id=caller.thread_id,
        turn_id=caller.turn_id,
        message_id=caller.message_id,
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        is_estimated=usage.estimated,
        is_aborted=call.is_aborted,
        reservation_id=call.reservation_id,
    )


def _countable(usage: Usage) -> Usage:
    """What a provider says must not fail an answer that is there, however absurd."""
    if max(usage.input_tokens, usage.output_tokens) <= MOST_TOKENS:
        return usage
    given, said = min(usage.input_tokens, MOST_TOKENS), min(usage.output_tokens, MOST_TOKENS)
    return replace(usage, input_tokens=given, output_tokens=said)  # its parts follow


def _row(call: RecordedCall, record: UsageRecord) -> AICall:
    caller, usage = call.caller, call.usage
    return AICall(
        pk=call.id,
        cost_micros=None if record.cost is None else in_micros(record.cost),
        meta={"price": "estimated"} if record.pricing == Pricing.FLAT else {},
        organisation_id=caller.organisation_id,
        user_id=caller.user_id,
        agent_id=caller.agent_id,
        agent_name=caller.agent_name[:120],
        thread_id=caller.thread_id,
        turn_id=caller.turn_id,
        message_id=caller.message_id,
        purpose=caller.purpose,
        model=clean_line(call.model, 120),
        provider=call.provider[:64],
        status=call.status,
        finish_reason=clean_line(call.finish_reason, 32),
        error_code=call.error_code,
        error=clean_text(call.error),
        input_tokens=min(usage.input_tokens, LARGEST),
        output_tokens=min(usage.output_tokens, LARGEST),
        cached_input_tokens=min(usage.cached_input_tokens, LARGEST),
        cache_write_tokens=min(usage.cache_write_tokens, LARGEST),
        reasoning_tokens=min(usage.reasoning_tokens, LARGEST),
        is_estimated=usage.estimated,
        duration_ms=call.duration_ms,
        first_token_ms=call.first_token_ms,
        request=clean_json(call.request),
        response=clean_json(call.response),
    )


def in_micros(cost: Decimal) -> int:
    """US dollars as millionths, rounded half up."""
    return int((cost * MICROS).quantize(Decimal(1), ROUND_HALF_UP))


def forget_raw_calls() -> int:
    """Empty raw requests and responses older than ONE_RAW_CALL_DAYS; returns how many."""
    horizon = timezone.now() - timedelta(days=settings.ONE_RAW_CALL_DAYS)
    forgotten = 0
    while True:
        ids = list(
            AICall.objects.filter(request__isnull=False, created_at__lt=horizon).values_list(
                "pk", flat=True
            )[:PURGE_BATCH]
        )
        if not ids:
            return forgotten
        forgotten += AICall.objects.filter(pk__in=ids).update(request=None, response=None)
