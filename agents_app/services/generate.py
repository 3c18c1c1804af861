"""The record of what programs have agents do: model calls, and uses of tools."""

from collections.abc import Sequence

from django.db import transaction

from agents_app.models import Effect, ToolCall
from agents_app.runtime.recorded import RecordedCall
from agents_app.runtime.store import ToolUse, register_ledger
from agents_app.runtime.tool_use import args_hash
from agents_app.services.ai_calls import keep_calls
from one_project.common.text import clean_json, clean_text


@transaction.atomic
def keep_run(calls: Sequence[RecordedCall], uses: Sequence[ToolUse]) -> None:
    """Store both; uses of tools outside of any organisation are nobody's and not stored."""
    keep_calls(calls)
    rows = [_row(use) for use in uses if not use.context.organisation._state.adding]
    # A provider may say one call id twice in a message; the first is the record.
    ToolCall.objects.bulk_create(rows, ignore_conflicts=True)


def _row(use: ToolUse) -> ToolCall:
    call, context, outcome = use.call, use.context, use.outcome
    fits = isinstance(call.arguments, dict)
    return ToolCall(
        **({"pk": context.key} if context.key else {}),
        organisation=context.organisation,
        agent=context.agent,
        requested_by=context.user,
        tool_id=use.offered.definition.tool_id if use.offered else None,
        thread_id=context.thread_id,
        message_id=use.message_id,
        call_id=clean_text(call.id)[:128],
        position=use.position,
        name=clean_text(call.name)[:128],
        effect=use.offered.definition.effect if use.offered else Effect.READ,
        arguments=clean_json(call.arguments if fits else {"raw": call.arguments}),
        args_hash=args_hash(call.name, call.arguments),
        custom=_storable(context.custom),
        status=outcome.status,
        output=outcome.output,
        told=clean_text(outcome.told),
        error_code=outcome.error_code[:64],
        started_at=use.started_at,
        finished_at=use.finished_at,
    )


def _storable(custom: object) -> object:
    """Programs may pass anything on to their tools; only what is JSON is kept."""
    if not isinstance(custom, dict):
        return {}
    plain = str | int | float | bool | None
    kept = {str(key): value for key, value in custom.items() if isinstance(value, plain)}
    return clean_json(kept)


register_ledger(keep_run)
