"""The life of a tool call: proposed by a model, run as a piece of work, ended once.

Every change of state is a compare-and-set, so whoever comes second changes nothing. Who waits for
a call (a turn of the chat) is asked, through ``kept_by``, to hold it while it changes and is told.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.db.models.functions import Now
from django.utils import timezone

from agents_app.models import CallStatus, Effect, ToolCall
from agents_app.models.tool_calls import OPEN
from agents_app.providers.parts import ToolCallPart
from agents_app.runtime.tool_use import (
    MAX_IDENTICAL,
    REPEATED,
    ToolOutcome,
    args_hash,
    read_arguments,
)
from agents_app.tools.catalogue import Offered, must_ask
from agents_app.tools.definitions import ToolContext, ToolDefinition
from one_project.workflows.definitions import Step
from one_project.workflows.services.settle import finish_work
from one_project.workflows.services.work import ask_to_stop, enqueue
from one_project.workflows.types import Claimed, Retry

logger = logging.getLogger(__name__)

Holding = Callable[[ToolCall], AbstractContextManager[None]]
_holding: list[Holding] = []
_runner: list[tuple[Step[..., Any], Step[..., Any]]] = []


_recalling: list[Callable[[ToolCall], None]] = []


def recalled_by(recall: Callable[[ToolCall], None]) -> None:
    """Have ``recall(call)`` keep back the message a call waits for, if that can still be done."""
    _recalling[:] = [recall]


def kept_by(holding: Holding) -> None:
    """Have ``with holding(call):`` around every change of a call: it locks whoever waits for it
    (in the same order as everybody else does) and, at its end, lets that one go on."""
    _holding[:] = [holding]


def run_by(step: Step[..., Any], over: Step[..., Any]) -> None:
    """The steps that run a call, and that look at what a lost run has left."""
    _runner[:] = [(step, over)]


def holding(call: ToolCall) -> AbstractContextManager[None]:
    return _holding[0](call) if _holding and call.turn_id else nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """For whom calls are proposed."""

    context: ToolContext
    thread_id: UUID
    turn_id: UUID
    message_id: UUID
    approvals: Mapping[str, str]
    listed: Sequence[str] | None = None


def propose_calls(
    asker: Asker, parts: Sequence[ToolCallPart], offered: Mapping[str, Offered]
) -> list[ToolCall]:
    """Store what the model asks for, in the caller's transaction; rows in its order.

    What may run is enqueued, what must be asked waits for a person, and what cannot be done at
    all (unknown tool, invalid arguments, the same call again and again) has failed already.
    """
    seen = dict(
        ToolCall.objects.filter(turn_id=asker.turn_id)
        .values_list("args_hash")
        .annotate(count=Count("pk"))
    )
    calls = []
    for position, part in enumerate(parts):
        call = _proposed(asker, position, part, offered.get(part.name))
        before = seen[call.args_hash] = seen.get(call.args_hash, 0) + 1
        if call.is_open and before >= MAX_IDENTICAL:
            _close(call, ToolOutcome.error(REPEATED, "repeated_call"))
        calls.append(call)
    ToolCall.objects.bulk_create(calls)
    for call in calls:
        if call.status == CallStatus.APPROVED:
            start_call(call, offered[call.name])
    return calls


def _proposed(asker: Asker, position: int, part: ToolCallPart, offered: Offered | None) -> ToolCall:
    context = asker.context
    call = ToolCall(
        organisation=context.organisation,
        agent=context.agent,
        requested_by=context.user,
        thread_id=asker.thread_id,
        turn_id=asker.turn_id,
        message_id=asker.message_id,
        call_id=part.id[:128],
        position=position,
        name=part.name[:128],
        arguments=part.arguments,
        args_hash=args_hash(part.name, part.arguments),
        custom=dict(context.custom),
        # What was asked, and the list of tools of this call where it was not the agent's own.
        meta={"prompt": str(context.message_id or ""), "tools": asker.listed},
    )
    if offered is None:
        _close(call, ToolOutcome.error(f"There is no tool called {part.name}.", "unknown_tool"))
        return call
    definition = offered.definition
    call.effect, call.tool_id = definition.effect, definition.tool_id
    if problem := read_arguments(definition, part.arguments):
        _close(call, ToolOutcome.error(problem, "invalid_arguments"))
    elif must_ask(
        offered,
        context,
        definition.check(part.arguments),
        asker.approvals.get(part.name, ""),
    ):
        call.status = CallStatus.AWAITING_APPROVAL
        call.expires_at = timezone.now() + timedelta(seconds=settings.ONE_APPROVAL_EXPIRES)
    else:
        call.status = CallStatus.APPROVED
    if call.is_open:
        call.meta |= facts_of(definition, context, part.arguments)
    return call


def facts_of(
    definition: ToolDefinition, context: ToolContext, arguments: Any
) -> dict[str, dict[str, str]]:
    """What people are told of this use before they decide, as part of the call's ``meta``."""
    if definition.describe is None or not isinstance(arguments, dict):
        return {}
    described = replace(context, config=definition.config)
    try:
        with transaction.atomic():
            return {"facts": definition.describe(described, arguments)}
    except Exception:
        # What cannot be said is found out when it runs.
        logger.exception("what a use of %s would do is not known", definition.name)
        return {}


def _close(call: ToolCall, outcome: ToolOutcome) -> None:
    call.status, call.told = outcome.status, outcome.told
    call.error_code = outcome.error_code
    call.started_at = call.finished_at = timezone.now()


def start_call(call: ToolCall, offered: Offered) -> None:
    """Have a worker run an approved call: again after a crash only where that does no harm."""
    step, over = _runner[0]
    repeated = offered.definition.may_be_repeated
    call.work = enqueue(
        step.options(retry=Retry(attempts=3, initial=0.2) if repeated else None, name=call.name),
        call.pk,
        organisation_id=call.organisation_id,
        on_complete=over,
        context={"call": str(call.pk)},
    )
    ToolCall.objects.filter(pk=call.pk).update(work=call.work)


def begin_call(call_id: UUID, *, again: bool) -> ToolCall | None:
    """Begin to run it; None when it is not to be run (any more).

    ``again``: an earlier attempt may have begun it (and this tool may be repeated).
    """
    begins = [CallStatus.APPROVED, CallStatus.RUNNING] if again else [CallStatus.APPROVED]
    begun = ToolCall.objects.filter(pk=call_id, status__in=begins).update(
        status=CallStatus.RUNNING, started_at=Now(), updated_at=Now()
    )
    if not begun:
        return None
    return ToolCall.objects.select_related("organisation", "requested_by", "agent").get(pk=call_id)


@transaction.atomic
def settle_call(call: ToolCall, outcome: ToolOutcome, work: Claimed | None = None) -> bool:
    """Record how a running (or waiting) call ended, together with the end of its work.

    False when it had ended before: nothing changes then. Raises WorkLost when the attempt is not
    the caller's any more.
    """
    with holding(call):
        if work is not None:
            finish_work(work)
        return end_call(call, outcome, [CallStatus.RUNNING, CallStatus.WAITING])


def end_call(call: ToolCall, outcome: ToolOutcome, states: Sequence[str] = OPEN) -> bool:
    """The compare-and-set behind every end, for callers that hold the call."""
    waiting = outcome.waiting
    child = waiting.child_thread_id if waiting else call.child_thread_id
    values: dict[str, Any] = {
        "status": outcome.status,
        "output": outcome.output,
        "told": outcome.told,
        "error_code": outcome.error_code[:64],
        "child_thread_id": child,
        "finished_at": None if waiting else timezone.now(),
        "updated_at": timezone.now(),
    }
    if waiting is not None and waiting.delivery_id is not None:
        values["meta"] = {**call.meta, "delivery": str(waiting.delivery_id)}
    ended = ToolCall.objects.filter(pk=call.pk, status__in=states).update(**values)
    if ended:
        for name, value in values.items():
            setattr(call, name, value)
    return bool(ended)


def cancel_calls(calls: Sequence[ToolCall], why: str) -> int:
    """End calls that nobody needs any more, for a caller that holds them; returns how many go on.

    Those that run are asked to stop and end by themselves.
    """
    running = 0
    for call in calls:
        if call.is_sending:
            # It ends when the message does: kept back, or sent already.
            for recall in _recalling:
                recall(call)
            running += 1
            continue
        if call.status in {CallStatus.APPROVED, CallStatus.RUNNING} and call.work_id:
            if not ask_to_stop(call.work_id):
                running += 1
                continue
            if call.status == CallStatus.RUNNING and call.effect not in {Effect.READ, Effect.WRITE}:
                end_call(call, ToolOutcome.unknown())
                continue
        end_call(call, ToolOutcome.error(why, "canceled", CallStatus.CANCELED))
    return running
