"""The steps of a turn that uses tools: proposed calls, their results, the next question.

Between two steps no worker holds the turn: it waits in its row, for seconds or for weeks, and the
transaction that gives the last call its result also queues the next step.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now

from agents_app.models import CallStatus, ToolCall
from agents_app.providers.base import Completion
from agents_app.providers.parts import Part, ToolResultPart
from agents_app.runtime.agent import Agent, StepEnd
from agents_app.services.tool_calls import Asker, kept_by, propose_calls
from agents_app.tools.catalogue import Offered
from agents_app.tools.definitions import ToolContext
from agents_app.types import AgentOptions
from chat_app.live.announce import announce_inbox
from chat_app.models import Message, MessageKind, MessageStatus, Thread, Turn, TurnStatus
from chat_app.runtime.options import last_step, turn_agent, turn_options
from chat_app.services.answering import answer_turn, turn_over
from chat_app.services.changes import Change, changing
from chat_app.services.messages import place_messages, set_parts
from chat_app.services.turns import Outcome, store_answer, turn_ended
from chat_app.types import MessageDraft
from one_project.workflows.services.settle import WorkLost, finish_work
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Claimed

# States in which somebody's inbox has the call, or has it no more without a decision.
IN_INBOX = {
    CallStatus.AWAITING_APPROVAL,
    CallStatus.WAITING,
    CallStatus.UNKNOWN,
    CallStatus.EXPIRED,
    CallStatus.CANCELED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTools:
    """What the model was offered in the step that has asked for tools."""

    offered: dict[str, Offered]
    options: AgentOptions
    agent: Agent | None = None


class _NotOurs(Exception):
    """Rolls the change back, its number included."""


def end_step(turn: Turn, outcome: Outcome, tools: StepTools, work: Claimed | None = None) -> bool:
    """Store a step that asks for tools, and its calls; the turn waits. False: ours no more."""
    try:
        _end_step(turn, outcome, tools, work)
    except (_NotOurs, WorkLost):
        return False
    return True


def _end_step(turn: Turn, outcome: Outcome, tools: StepTools, work: Claimed | None) -> None:
    with changing(turn.thread_id) as change:
        waits = (
            Turn.objects.owned(turn.attempt)
            .filter(pk=turn.pk)
            .update(
                status=TurnStatus.WAITING,
                partial="",
                partial_seq=0,
                work=None,
                updated_at=Now(),
            )
        )
        if not waits:
            raise _NotOurs
        if work is not None:
            finish_work(work)
        turn.status = TurnStatus.WAITING
        store_answer(change, turn, outcome)
        draft = MessageDraft(
            kind=MessageKind.TOOL,
            status=MessageStatus.PENDING,
            agent=turn.agent,
            turn_id=turn.pk,
        )
        [results] = place_messages(change, [draft], prompt=turn.prompt)
        calls = propose_calls(_asker(turn, results, tools), outcome.tool_calls, tools.offered)
        if any(_shows_in_inbox(call) for call in calls):
            announce_inbox(change.thread)
        if not any(call.is_open for call in calls):
            _go_on(change, Turn.objects.get(pk=turn.pk), results)


def _asker(turn: Turn, results: Message, tools: StepTools) -> Asker:
    options = tools.options
    context = ToolContext(
        organisation=turn.organisation,
        user=turn.requested_by,
        agent=turn.agent,
        thread_id=turn.thread_id,
        turn_id=turn.pk,
        message_id=turn.prompt_id,
        custom=options.custom or {},
    )
    return Asker(
        context=context,
        thread_id=turn.thread_id,
        turn_id=turn.pk,
        message_id=results.pk,
        approvals=options.approvals or {},
        listed=options.tools,
    )


@contextmanager
def holding_turn(call: ToolCall) -> Iterator[None]:
    """Around each change of a turn's call: the thread is locked first, as everybody does, and
    what the change means for the turn is done at its end."""
    if call.thread_id is None:
        yield
        return
    with transaction.atomic():
        Thread.objects.select_for_update().filter(pk=call.thread_id).first()
        yield
        call_changed(call)


def call_changed(call: ToolCall) -> None:
    """Show the call as it is now, and let its turn go on when it was the last."""
    if call.thread_id is None or call.message_id is None or call.turn_id is None:
        return
    results = Message.objects.filter(pk=call.message_id).first()
    if results is None:
        return
    with changing(call.thread_id, deleted_too=True) as change:
        change.touch(results)
        results.save(update_fields=["seq", "updated_at"])
        if _shows_in_inbox(call):
            announce_inbox(change.thread)
        turn = Turn.objects.filter(pk=call.turn_id, status=TurnStatus.WAITING).first()
        if turn is not None:
            go_on_if_all_ended(change, turn)


def _shows_in_inbox(call: ToolCall) -> bool:
    """Whether the change of the call is one that people's inboxes show."""
    decided = call.decided_at is not None or call.error_code == "outcome_unknown"
    return decided or call.status in IN_INBOX


def go_on_if_all_ended(change: Change, turn: Turn) -> None:
    """Let a waiting turn go on (or end) when nothing is open any more; the thread is locked."""
    pending = Message.objects.filter(
        turn=turn, kind=MessageKind.TOOL, status=MessageStatus.PENDING
    ).first()
    if pending is not None and not ToolCall.objects.open().filter(message_id=pending.pk).exists():
        _go_on(change, turn, pending)


def _go_on(change: Change, turn: Turn, results: Message) -> None:
    """All calls of the step have ended: store the results and ask the model again, or end."""
    # By position: one that a person has changed is a later row in the same place.
    calls = list(
        ToolCall.objects.filter(message_id=results.pk, replaced_by=None).order_by("position")
    )
    set_parts(results, result_parts(calls))
    results.status = MessageStatus.SUCCESS
    change.touch(results)
    results.save()
    if turn.stop_requested_at is not None:
        _end(change, turn, results, TurnStatus.STOPPED)
    elif _is_over(turn, calls):
        _end(change, turn, results, TurnStatus.SUCCESS)
    else:
        _ask_again(change, turn, going_in_circles(calls))


def result_parts(calls: Sequence[ToolCall]) -> list[Part]:
    """What the model is told of its calls, in its order."""
    return [
        ToolResultPart(
            call_id=call.call_id, name=call.name, output=call.told, is_error=call.is_error
        )
        for call in calls
    ]


def going_in_circles(calls: Sequence[ToolCall]) -> bool:
    """Whether the same call has been made too often: the model gets one more chance, in words."""
    return any(call.error_code == "repeated_call" for call in calls)


def _is_over(turn: Turn, calls: Sequence[ToolCall]) -> bool:
    """Whether a tool has succeeded that ends the answer; an error does not (AG-15)."""
    succeeded = frozenset(call.name for call in calls if call.status == CallStatus.SUCCEEDED)
    if succeeded & set(turn_options(turn).stop_when or ()):
        return True
    agent = turn_agent(turn)
    if agent is None or not agent.stop_when:
        return False
    completion = Completion(tuple(turn.message.parts), "tool_calls")
    end = StepEnd(turn.step, completion, succeeded)
    return any(stops(end) for stops in agent.stop_when)


def _end(change: Change, turn: Turn, results: Message, status: str) -> None:
    turn.status = status
    Turn.objects.filter(pk=turn.pk, status=TurnStatus.WAITING).update(
        status=status, finished_at=Now(), updated_at=Now()
    )
    if status == TurnStatus.STOPPED:
        results.finish_reason = "stopped"
        results.save(update_fields=["finish_reason"])
    if turn.message.text:
        change.said(turn.message)
    turn_ended(change, turn, results)


def _ask_again(change: Change, turn: Turn, in_circles: bool) -> None:
    draft = MessageDraft(
        kind=MessageKind.AGENT,
        status=MessageStatus.PENDING,
        agent=turn.agent,
        turn_id=turn.pk,
        author_name=turn.message.author_name,
    )
    [answer] = place_messages(change, [draft], prompt=turn.prompt)
    turn.message = answer
    last = last_step(turn_options(turn)) if in_circles else 0
    turn.step = max(turn.step + 1, last)
    turn.status = TurnStatus.QUEUED
    turn.restarts = turn.partial_seq = 0
    turn.partial = ""
    turn.work = enqueue(
        answer_turn,
        turn.pk,
        organisation_id=turn.organisation_id,
        on_complete=turn_over,
        context={"turn": str(turn.pk)},
    )
    turn.save(
        update_fields=[
            "message", "step", "status", "restarts", "partial", "partial_seq", "work", "updated_at",
        ]
    )  # fmt: skip


kept_by(holding_turn)
