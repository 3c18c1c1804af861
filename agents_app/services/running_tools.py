"""A tool call as a piece of work: begun, its rights looked at again, run, its end recorded."""

import asyncio
from typing import Any
from uuid import UUID

from django.db import transaction

from agents_app.models import CallStatus, ToolCall
from agents_app.runtime.agent import Agent, agent_of
from agents_app.runtime.offers import offers
from agents_app.runtime.tool_use import (
    ToolOutcome,
    args_hash,
    outcome_of_error,
    outcome_of_value,
    use_tool,
)
from agents_app.services.tool_calls import (
    begin_call,
    end_call,
    holding,
    run_by,
    settle_call,
    unknown_outcome,
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


@step(name="agents_app.run_tool_call", pool=POOL, lease=3.0)
async def run_tool_call(call_id: UUID) -> None:
    """Run an approved call once; reads and what is idempotent again when its worker is lost."""
    work = current_work().claimed
    call, offered = await in_thread(_prepare, call_id, again=work.retry is not None)
    if call is None:
        return
    crash_point("tool_begun")
    if offered is None:
        outcome = ToolOutcome.error(NOT_ALLOWED, "not_allowed", CallStatus.DENIED)
        await in_thread(settle_call, call, outcome, work)
        return
    if offered.definition.in_transaction:
        await in_thread(_in_one_transaction, call, offered, work)
        return
    try:
        outcome = await use_tool(offered.definition, context_of(call, offered), call.arguments)
    except asyncio.CancelledError:
        if current_work().cancelled_for != "stop":
            raise
        repeated = offered.definition.may_be_repeated
        outcome = _stopped() if repeated else unknown_outcome()
    crash_point("tool_effect_done")
    await in_thread(settle_call, call, outcome, work)


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
    agent = agent_of(call.agent) if call.agent else Agent(name="")
    listed = call.meta.get("tools")
    return offers(agent, call.organisation, user, listed).get(call.name)


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
        config=offered.definition.config,
    )


def _in_one_transaction(call: ToolCall, offered: Offered, work: Claimed) -> None:
    """The effect, its record and the end of the work commit together, or none of them."""
    with transaction.atomic(), holding(call):
        finish_work(work)
        try:
            with transaction.atomic():
                value = offered.definition.run(context_of(call, offered), call.arguments)
                outcome = outcome_of_value(value)
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
    if result.kind == "canceled":
        outcome = _stopped()
    elif call.status == CallStatus.RUNNING and result.error_kind in {"WorkerLost", "unknown"}:
        outcome = unknown_outcome()
    else:
        outcome = ToolOutcome.error("The tool could not be run.", "tool_failed")
    with holding(call):
        end_call(call, outcome)


run_by(run_tool_call, tool_call_over)
