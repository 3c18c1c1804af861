"""Handlers of an agent: told of each model call that has ended (AG-16, AG-17)."""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

from agents_app.providers.base import Usage
from agents_app.runtime.recorded import RecordedCall, Recorder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What a usage handler is given of one model call (AG-16).

    ``record_id`` is the key of its row in the ledger and in raw usage: the same call has the same
    one however often it is told. ``usage.raw`` and ``provider_metadata`` are what the provider
    sent. ``cost``: US dollars; None where a price is missing, or nothing was kept. ``is_aborted``:
    stopped or failed. ``purpose`` is ``embedding`` for the vectors that an answer needed.
    """

    organisation_id: UUID | None
    user_id: UUID | None
    thread_id: UUID | None
    agent_name: str
    model: str
    provider: str
    usage: Usage
    record_id: UUID
    agent_id: UUID | None = None
    turn_id: UUID | None = None
    message_id: UUID | None = None
    purpose: str = ""
    cost: Decimal | None = None
    is_aborted: bool = False
    provider_metadata: dict[str, Any] | None = None


UsageHandler: TypeAlias = Callable[[UsageReport], "Awaitable[None] | None"]
RawHandler: TypeAlias = Callable[[dict[str, Any], dict[str, Any]], "Awaitable[None] | None"]


_hearing: Final[ContextVar[list[RecordedCall] | None]] = ContextVar("hearing", default=None)


@contextmanager
def hearing() -> Iterator[list[RecordedCall]]:
    """What tools that are used within the block ask of models themselves (``heard``), to be told to
    the handler of the agent that uses them. One that asks another agent is not: that has its own.
    """
    calls: list[RecordedCall] = []
    before = _hearing.set(calls)
    try:
        yield calls
    finally:
        _hearing.reset(before)


def heard(calls: Sequence[RecordedCall]) -> None:
    """Said by a tool of calls that it took, and that are kept."""
    found = _hearing.get()
    if found is not None:
        found.extend(calls)


async def tell(recorder: Recorder, raw: RawHandler | None, usage: UsageHandler | None) -> None:
    """Give ``raw`` the last call of ``recorder``, and ``usage`` each one it took.

    To be called when they are kept. What handlers raise reaches the caller.
    """
    if not recorder.calls:
        return
    if raw is not None:
        completion = recorder.answer.completion()
        response = {
            "id": completion.response_id,
            "model": recorder.calls[-1].model,
            "finish_reason": completion.finish_reason,
            "parts": [part.to_json() for part in completion.parts],
        }
        await settled(raw(recorder.request.to_json(), response))
    await tell_usage(recorder.calls, usage)


async def tell_usage(calls: Sequence[RecordedCall], handler: UsageHandler | None) -> None:
    """Give the handler each of these calls. What it raises reaches the caller."""
    if handler is not None:
        for call in calls:
            await settled(handler(report_of(call)))


async def tell_at_the_end(calls: Sequence[RecordedCall], handler: UsageHandler | None) -> None:
    """As ``tell_usage``, of what has failed or was left: nobody is there for what it raises."""
    try:
        await tell_usage(calls, handler)
    except Exception:
        logger.exception("a usage handler failed")


def report_of(call: RecordedCall) -> UsageReport:
    caller = call.caller
    return UsageReport(
        record_id=call.id,
        organisation_id=caller.organisation_id,
        user_id=caller.user_id,
        thread_id=caller.thread_id,
        turn_id=caller.turn_id,
        message_id=caller.message_id,
        agent_id=caller.agent_id,
        agent_name=caller.agent_name,
        purpose=caller.purpose,
        model=call.model,
        provider=call.provider,
        usage=call.usage,
        provider_metadata=call.usage.raw,
        cost=call.cost,
        is_aborted=call.is_aborted,
    )


async def settled(value: "Awaitable[None] | None") -> None:
    """Handlers may be plain or async."""
    if value is not None:
        await value
