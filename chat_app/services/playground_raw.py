"""Rows as JSON, and the model calls behind them with their raw requests and responses."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from agents_app.models import AICall
from agents_app.services.ai_calls import with_costs
from chat_app.models import Message, Thread, Turn
from one_project.accounts.models import Organisation


def message_json(message: Message) -> dict[str, Any]:
    """The row as JSON, with its parts as they are kept."""
    return {
        "id": str(message.pk),
        "order": message.order,
        "step_order": message.step_order,
        "kind": message.kind,
        "status": message.status,
        "author": message.author_name,
        "agent_id": str(message.agent_id) if message.agent_id else None,
        "turn_id": str(message.turn_id) if message.turn_id else None,
        "created_at": message.created_at.isoformat(),
        "content": message.content,
        "text": message.text,
        "model": message.model,
        "provider": message.provider,
        "finish_reason": message.finish_reason,
        "usage": message.usage,
        "sources": message.sources,
        "warnings": message.warnings,
        "provider_options": message.provider_options,
        "provider_metadata": message.provider_metadata,
        "error": message.error,
        "error_code": message.error_code,
        "meta": message.meta,
    }


def turn_json(turn: Turn) -> dict[str, Any]:
    """The row as JSON."""
    times = ("created_at", "started_at", "first_token_at", "finished_at")
    moments = {name: getattr(turn, name) for name in times}
    return {
        "id": str(turn.pk),
        "status": turn.status,
        "step": turn.step,
        "attempt": turn.attempt,
        "restarts": turn.restarts,
        "agent_id": str(turn.agent_id) if turn.agent_id else None,
        "prompt_id": str(turn.prompt_id),
        "message_id": str(turn.message_id),
        "options": turn.options,
        "error": turn.error,
        "error_code": turn.error_code,
        **{name: at.isoformat() if at else None for name, at in moments.items()},
    }


def calls_of_message(thread: Thread, message: Message) -> list[AICall]:
    """With their raw requests and responses."""
    calls = AICall.objects.filter(thread_id=thread.pk, message_id=message.pk)
    return with_costs(calls.order_by("created_at", "pk"))


def calls_of_turn(thread: Thread, turn: Turn) -> list[AICall]:
    """With their raw requests and responses."""
    calls = AICall.objects.filter(thread_id=thread.pk, turn_id=turn.pk)
    return with_costs(calls.order_by("created_at", "pk"))


def calls_of_answer(organisation: Organisation, ids: Sequence[UUID]) -> list[AICall]:
    """With their raw requests and responses."""
    calls = AICall.objects.filter(organisation=organisation, pk__in=list(ids))
    return with_costs(calls.order_by("created_at", "pk"))
