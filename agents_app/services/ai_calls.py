"""The ledger of model calls: written with what they led to, and relieved of old raw values."""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from agents_app.models import AICall
from agents_app.runtime.recorded import RecordedCall
from billing_app.runtime.pricing import Tokens, cost_of
from one_project.common.text import clean_json, clean_line, clean_text

PURGE_BATCH = 500


def keep_calls(calls: Iterable[RecordedCall]) -> list[AICall]:
    """Store calls that have ended, in the caller's transaction; one statement."""
    rows = [_row(call) for call in calls]
    return AICall.objects.bulk_create(rows) if rows else []


def _row(call: RecordedCall) -> AICall:
    caller, usage = call.caller, call.usage
    tokens = Tokens(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cached_input=usage.cached_input_tokens,
        cache_write=usage.cache_write_tokens,
    )
    cost = cost_of(call.provider, call.model, tokens, timezone.now())
    return AICall(
        cost_micros=cost.micros,
        meta={"price": "estimated"} if cost.is_estimated else {},
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
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        is_estimated=usage.estimated,
        duration_ms=call.duration_ms,
        first_token_ms=call.first_token_ms,
        request=clean_json(call.request),
        response=clean_json(call.response),
    )


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
