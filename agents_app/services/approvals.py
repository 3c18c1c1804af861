"""What people decide about tool calls: approve, deny, change, allow for good, answer.

Each is one compare-and-set on the state and the hash of the arguments, so that approving twice,
from two browsers or after it has expired runs the call once or not at all. The caller has seen to
it that the person may decide (``chat_app.access``).
"""

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents_app.errors import ApprovalGone, InvalidArguments
from agents_app.models import CallStatus, Effect, Tool, ToolAllowance, ToolCall
from agents_app.runtime.agent import Agent, agent_of
from agents_app.runtime.offers import offers, thread_tools
from agents_app.runtime.tool_use import ToolOutcome, args_hash, cut, read_arguments
from agents_app.services.tool_calls import end_call, facts_of, holding, start_call
from agents_app.tools.catalogue import Offered
from agents_app.tools.definitions import ToolContext
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, InvalidInput
from one_project.common.text import (
    JSON_LIMITS,
    clean_json,
    clean_line,
    clean_text,
    is_plain_json,
)

logger = logging.getLogger(__name__)

MAX_ANSWER = 32_768
EXPIRED = "Nobody decided in time."
HAPPENED = "A person has looked: it took effect."
NOT_HAPPENED = "Error: A person has looked: it did not take effect."
CHANGED = "A person changed the arguments before approving."


@transaction.atomic
def approve_call(
    call: ToolCall, *, by: User, args: str = "", reason: str = "", always: bool = False
) -> ToolCall:
    """Let it run. ``args``: the hash of the arguments the person has seen. ``always``: do not ask
    this person for this tool in this thread again (never for what destroys).

    Raises ApprovalGone when it waits no more or shows other arguments, AccessDenied when the
    person may not use the tool.
    """
    offered = offered_for(call)
    _require_rights(offered, by, call)
    with holding(call):
        _decide(call, CallStatus.APPROVED, by, args, reason)
        if offered is None:
            end_call(call, ToolOutcome.error("This tool is gone.", "unknown_tool"))
            return call
        start_call(call, offered)
        if always:
            allow_always(call, by=by)
    _record(call, "tool_call_approved", by)
    return call


def approve_calls(calls: Sequence[ToolCall], *, by: User) -> list[ToolCall]:
    """Approve all that wait, e.g. of one step; returns those that it was not too late for."""
    approved = []
    for call in calls:
        try:
            approved.append(approve_call(call, by=by, args=call.args_hash))
        except ApprovalGone:
            continue
    return approved


@transaction.atomic
def deny_call(call: ToolCall, *, by: User, reason: str = "") -> ToolCall:
    """Refuse it; the model is told the reason. Raises ApprovalGone when it waits no more."""
    why = clean_line(reason, 500)
    with holding(call):
        _decide(call, CallStatus.DENIED, by, "", why)
        end_call(call, denied(why), [CallStatus.DENIED])
    _record(call, "tool_call_denied", by)
    return call


@transaction.atomic
def edit_and_approve(call: ToolCall, *, by: User, arguments: Any, args: str = "") -> ToolCall:
    """Run it with other arguments, as a new call; what the model proposed is denied.

    Raises InvalidArguments with what is wrong, ApprovalGone when it waits no more.
    """
    if not is_plain_json(arguments):
        raise InvalidArguments(f"Arguments are one JSON object {JSON_LIMITS}.")
    arguments = clean_json(arguments)
    offered = offered_for(call)
    _require_rights(offered, by, call)
    if offered is None:
        raise ApprovalGone
    if problem := read_arguments(offered.definition, arguments):
        raise InvalidArguments(problem)
    with holding(call):
        _decide(call, CallStatus.DENIED, by, args, CHANGED)
        now = timezone.now()
        ToolCall.objects.filter(pk=call.pk).update(finished_at=now)
        new = ToolCall.objects.create(
            organisation_id=call.organisation_id,
            agent_id=call.agent_id,
            requested_by_id=call.requested_by_id,
            tool_id=call.tool_id,
            thread_id=call.thread_id,
            turn_id=call.turn_id,
            message_id=call.message_id,
            call_id=call.call_id,
            position=call.position,
            name=call.name,
            effect=call.effect,
            arguments=arguments,
            args_hash=args_hash(call.name, arguments),
            custom=call.custom,
            meta={
                **call.meta,
                "changed": True,
                **facts_of(offered.definition, _context_of(call), arguments),
            },
            status=CallStatus.APPROVED,
            replaces=call,
            decided_by=by,
            decided_at=now,
        )
        start_call(new, offered)
    _record(new, "tool_call_changed", by)
    return new


@transaction.atomic
def answer_question(call: ToolCall, *, by: User, text: str) -> ToolCall:
    """A person's answer is the result of the tool that asked (HU-9).

    Raises InvalidInput when it is empty, ApprovalGone when the question waits no more (or is none:
    a delegation waits for an agent).
    """
    if call.child_thread_id is not None or call.is_sending:
        raise ApprovalGone
    answer = clean_text(text).strip()
    if not answer:
        raise InvalidInput("Please write an answer first.")
    outcome = ToolOutcome(
        status=CallStatus.SUCCEEDED,
        output={"answer": answer[:MAX_ANSWER], "answered_by": by.display_name},
        told=cut(answer, MAX_ANSWER),
    )
    with holding(call):
        if not end_call(call, outcome, [CallStatus.WAITING]):
            raise ApprovalGone
        call.decided_by, call.decided_at = by, timezone.now()
        call.save(update_fields=["decided_by", "decided_at"])
    _record(call, "tool_call_answered", by)
    return call


@transaction.atomic
def resolve_unknown(call: ToolCall, *, by: User, happened: bool) -> ToolCall:
    """A person has looked: the effect took place, or it did not. Nothing is run again."""
    now = timezone.now()
    values: dict[str, Any] = {
        "status": CallStatus.SUCCEEDED if happened else CallStatus.FAILED,
        # For a turn that still waits for its other calls.
        "told": HAPPENED if happened else NOT_HAPPENED,
        "decided_by": by,
        "decided_at": now,
    }
    with holding(call):
        unknown = ToolCall.objects.filter(pk=call.pk, status=CallStatus.UNKNOWN)
        if not unknown.update(**values, updated_at=now):
            raise ApprovalGone
        for name, value in values.items():
            setattr(call, name, value)
    _record(call, "tool_call_resolved", by)
    return call


def expire_calls(limit: int = 200) -> int:
    """End approvals that nobody gave in time; returns how many."""
    due = list(
        ToolCall.objects.awaiting_approval()
        .filter(expires_at__lte=timezone.now())
        .order_by("expires_at")[:limit]
    )
    expired = 0
    for call in due:
        try:
            with transaction.atomic(), holding(call):
                outcome = ToolOutcome.error(EXPIRED, "expired", CallStatus.EXPIRED)
                expired += end_call(call, outcome, [CallStatus.AWAITING_APPROVAL])
        except Exception:
            # One that cannot be ended keeps none of the others waiting.
            logger.exception("call %s did not expire", call.pk)
    return expired


def allow_always(call: ToolCall, *, by: User) -> None:
    """Do not ask ``by`` for this tool in this thread again. Raises AccessDenied for what destroys.

    It counts for what they ask the agent for, so only who asked can say it.
    """
    if call.effect == Effect.DESTRUCTIVE:
        raise AccessDenied("What destroys is always asked for.")
    if "always" in call.meta.get("facts", {}):
        raise AccessDenied("This is always asked for: the agent chooses to whom it goes.")
    if call.requested_by_id != by.pk or call.thread_id is None:
        raise AccessDenied("Only the person the agent works for can allow a tool for good.")
    ToolAllowance.objects.get_or_create(
        organisation_id=call.organisation_id,
        user=by,
        thread_id=call.thread_id,
        tool_name=call.name,
    )


def forbid_again(thread_id: UUID, *, by: User, tool_name: str) -> None:
    """Take "always allow" back."""
    ToolAllowance.objects.filter(thread_id=thread_id, user=by, tool_name=tool_name).delete()


def denied(why: str) -> ToolOutcome:
    """What the model is told of a call that a person did not allow."""
    reason = f" Reason: {why}" if why else ""
    return ToolOutcome(
        status=CallStatus.DENIED, told=f"Denied by a person.{reason}", error_code="denied"
    )


def offered_for(call: ToolCall) -> Offered | None:
    """The tool of a call, if it may still be used."""
    agent = agent_of(call.agent) if call.agent else Agent(name="")
    listed = call.meta.get("tools")
    found = offers(agent, call.organisation, call.requested_by, listed).get(call.name)
    return found or (thread_tools().get(call.name) if call.thread_id else None)


def _context_of(call: ToolCall) -> ToolContext:
    return ToolContext(
        organisation=call.organisation,
        user=call.requested_by,
        agent=call.agent,
        thread_id=call.thread_id,
        turn_id=call.turn_id,
        key=call.pk,
        custom=call.custom,
    )


def _require_rights(offered: Offered | None, by: User, call: ToolCall) -> None:
    """Who lets a tool of somebody run must be allowed to use it."""
    tool_id = offered.definition.tool_id if offered else None
    if tool_id is None:
        return
    if not Tool.objects.usable_by(by, call.organisation).filter(pk=tool_id).exists():
        raise AccessDenied("You may not use this tool, so you cannot approve it.")


def _decide(call: ToolCall, status: str, by: User, args: str, reason: str) -> None:
    now = timezone.now()
    waiting = ToolCall.objects.awaiting_approval().filter(pk=call.pk, expires_at__gt=now)
    if args:
        waiting = waiting.filter(args_hash=args)
    decided = waiting.update(
        status=status,
        decided_by=by,
        decided_at=now,
        reason=clean_line(reason, 500),
        updated_at=now,
    )
    if not decided:
        raise ApprovalGone
    call.status, call.decided_by, call.decided_at = status, by, now
    call.reason = clean_line(reason, 500)


def _record(call: ToolCall, kind: str, by: User) -> None:
    record_event(
        call.organisation,
        kind,
        actor=by,
        target=f"tool_call:{call.pk}",
        data={"tool": call.name, "thread": str(call.thread_id or "")},
    )
