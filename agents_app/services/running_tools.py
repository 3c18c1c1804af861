"""A tool call as a piece of work: begun, its rights looked at again, run, its end recorded."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import DatabaseError, DataError, OperationalError, transaction

from agents_app.models import CallStatus, Effect, ToolCall
from agents_app.runtime.agent import registered_agents
from agents_app.runtime.recorded import RecordedCall
from agents_app.runtime.telling import hearing, tell_at_the_end
from agents_app.runtime.tool_use import (
    ToolOutcome,
    args_hash,
    outcome_of_error,
    outcome_of_value,
    use_tool,
)
from agents_app.services.approvals import offered_for
from agents_app.services.tool_calls import (
    begin_call,
    end_call,
    holding,
    run_by,
    settle_call,
    start_call,
)
from agents_app.tools.catalogue import Offered
from agents_app.tools.definitions import ToolContext
from one_project.accounts.models import Membership
from one_project.common.crash_points import crash_point
from one_project.common.database import in_thread
from one_project.workflows.current import current_work
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.services.settle import finish_work
from one_project.workflows.types import Claimed, Result

# Tools wait for others most of the time; how many a process carries is its own limit.
POOL = declare_pool("tools", None)
NOT_ALLOWED = "This tool may not be used here any more."
UNREADABLE = "The tool's result could not be stored."
# How long the end of a call is offered to a database that is away.
RECORD_PATIENCE = 120.0
# How often a call that was never begun is given to a worker.
MAX_STARTS = 3

logger = logging.getLogger(__name__)


@step(name="agents_app.run_tool_call", pool=POOL, lease=3.0)
async def run_tool_call(call_id: UUID) -> None:
    """Run an approved call once; reads and what is idempotent again when its worker is lost."""
    current = current_work()
    work = current.claimed
    call, offered = await in_thread(_prepare, call_id, again=work.retry is not None)
    if call is None:
        return
    crash_point("tool_begun")
    if offered is None:
        outcome = ToolOutcome.error(NOT_ALLOWED, "not_allowed", CallStatus.DENIED)
        await _record(call, outcome, work)
        return
    if offered.definition.in_transaction:
        await in_thread(_in_one_transaction, call, offered, work)
        return
    calls: Sequence[RecordedCall] = ()
    try:
        with hearing() as calls:
            outcome = await use_tool(offered.definition, context_of(call, offered), call.arguments)
    except asyncio.CancelledError:
        if current.cancelled_for != "stop":
            raise
        repeated = offered.definition.may_be_repeated
        outcome = _stopped() if repeated else ToolOutcome.unknown()
    crash_point("tool_effect_done")
    current.end()
    await _record(call, outcome, work)
    agent = registered_agents().get(call.agent.code_name) if call.agent else None
    if agent is not None:
        await tell_at_the_end(calls, agent.usage_handler)


async def _record(call: ToolCall, outcome: ToolOutcome, work: Claimed) -> None:
    """Store the end; a database that is away for a while must not make it a failure, because the
    effect has happened. The lease decides in the end."""
    loop = asyncio.get_running_loop()
    deadline, delay = loop.time() + RECORD_PATIENCE, 0.2
    while True:
        try:
            await in_thread(settle_call, call, outcome, work)
            return
        except DataError as error:
            logger.warning("the result of tool call %s cannot be stored: %s", call.pk, error)
            outcome = ToolOutcome.error(UNREADABLE, "invalid_result")
        except DatabaseError as error:
            if loop.time() > deadline:
                raise
            logger.warning("the end of tool call %s is not stored yet: %s", call.pk, error)
        await asyncio.sleep(delay)
        delay = min(delay * 2, 2.0)


def _stopped() -> ToolOutcome:
    return ToolOutcome.error("It was stopped.", "canceled", CallStatus.CANCELED)


def _prepare(call_id: UUID, *, again: bool) -> tuple[ToolCall | None, Offered | None]:
    call = begin_call(call_id, again=again)
    if call is None:
        return None, None
    return call, _still_allowed(call)


def _still_allowed(call: ToolCall) -> Offered | None:
    """The tool, when everything that allowed this call still holds (rights may have changed
    while it waited for a person)."""
    if call.args_hash != args_hash(call.name, call.arguments):
        return None
    user = call.requested_by
    if user is not None:
        member = Membership.objects.active().filter(user=user, organisation=call.organisation)
        if not member.exists():
            return None
    if call.agent is not None and not call.agent.is_active:
        return None
    return offered_for(call)


def context_of(call: ToolCall, offered: Offered) -> ToolContext:
    """What the tool may know."""
    prompt = call.meta.get("prompt")
    return ToolContext(
        organisation=call.organisation,
        user=call.requested_by,
        agent=call.agent,
        thread_id=call.thread_id,
        turn_id=call.turn_id,
        message_id=UUID(prompt) if prompt else None,
        key=call.pk,
        custom=call.custom,
        # What the person who let it happen was shown is what is used.
        config={**offered.definition.config, **pinned(call)},
    )


def pinned(call: ToolCall) -> dict[str, str]:
    """What was fixed when the call was proposed."""
    chosen = call.meta.get("facts", {}).get("integration")
    return {"pinned_integration": chosen} if chosen else {}


def _in_one_transaction(call: ToolCall, offered: Offered, work: Claimed) -> None:
    """The effect, its record and the end of the work commit together, or none of them."""
    with transaction.atomic(), holding(call):
        finish_work(work)
        try:
            with transaction.atomic():
                value = offered.definition.run(context_of(call, offered), call.arguments)
                outcome = outcome_of_value(value)
        except OperationalError:
            # A deadlock, a lost connection: nothing has happened, so it is done again.
            raise
        except Exception as error:
            outcome = outcome_of_error(call.name, error)
        crash_point("tool_effect_done")
        end_call(call, outcome, [CallStatus.RUNNING])


@step(name="agents_app.tool_call_over", kind="transaction")
def tool_call_over(result: Result, context: dict[str, Any]) -> None:
    """The work has ended without the call: its worker was lost, or it was stopped meanwhile."""
    call = ToolCall.objects.open().filter(pk=context["call"]).first()
    if call is None or call.status == CallStatus.WAITING:
        return
    never_begun = call.status == CallStatus.APPROVED and result.error_kind == "WorkerLost"
    if never_begun and _started_again(call):
        return
    if call.status == CallStatus.RUNNING and _may_have_acted(call):
        # However the work has ended: the call began, and nobody recorded what came of it.
        outcome = ToolOutcome.unknown()
    elif result.kind == "canceled":
        outcome = _stopped()
    else:
        outcome = ToolOutcome.error("The tool could not be run.", "tool_failed")
    with holding(call):
        end_call(call, outcome)


def _started_again(call: ToolCall) -> bool:
    """Have another worker run what has been allowed and never begun; not without end.

    Should the first one only be slow: who begins it is decided by its row.
    """
    starts = call.meta.get("starts", 1)
    offered = offered_for(call) if starts < MAX_STARTS else None
    if offered is None:
        return False
    with holding(call):
        call.meta["starts"] = starts + 1
        call.save(update_fields=["meta", "updated_at"])
        start_call(call, offered)
    return True


def _may_have_acted(call: ToolCall) -> bool:
    """Whether a run that left no record may have had an effect all the same: not a read, nor what
    would have committed its record with it."""
    if call.effect == Effect.READ:
        return False
    offered = offered_for(call)
    return offered is None or not offered.definition.in_transaction


run_by(run_tool_call, tool_call_over)
