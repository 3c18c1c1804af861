"""The verbs of whoever answers: begin, keep what was said, finish.

Who may is decided by the piece of work behind the turn. Every write asks for the attempt in its
WHERE, and the end for the token of the work, so a worker that lost its turn changes nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import (
    Case,
    Exists,
    F,
    OuterRef,
    When,
)
from django.db.models.functions import Coalesce, Now

from agents_app.errors import AgentExecutionError
from agents_app.models import Agent
from agents_app.providers.events import Usage
from agents_app.providers.parts import Part, TextPart, ToolCallPart
from agents_app.runtime.recorded import RecordedCall
from agents_app.services.ai_calls import keep_calls
from billing_app.services.sending import settle_tokens
from chat_app.live.announce import announce_inbox
from chat_app.models import (
    Message,
    MessageStatus,
    Thread,
    ThreadParticipant,
    Turn,
    TurnStatus,
)
from chat_app.services.changes import Change, changing
from chat_app.services.citations import cited_parts
from chat_app.services.messages import set_parts
from one_project.accounts.services.events import record_event
from one_project.workflows.errors import TryLater
from one_project.workflows.models import WorkItem
from one_project.workflows.services.settle import WorkLost, finish_work
from one_project.workflows.types import Claimed

logger = logging.getLogger(__name__)

# Seconds after which a deleted thread is looked at again: its deletion may be undone.
LOOK_AGAIN = 5.0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How a turn ended: what is stored on its message."""

    status: str = TurnStatus.SUCCESS
    parts: Sequence[Part] = ()
    finish_reason: str = "stop"
    usage: Usage | None = None
    model: str = ""
    provider: str = ""
    error: str = ""
    error_code: str = ""
    cause: str = ""
    calls: Sequence[RecordedCall] = ()

    @property
    def tool_calls(self) -> list[ToolCallPart]:
        """What the model asks for in this step."""
        return [part for part in self.parts if isinstance(part, ToolCallPart)]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What has been said so far, and the number of the last live record of it."""

    turn_id: UUID
    attempt: int
    partial: str
    partial_seq: int


def begin_turn(turn_id: UUID, *, token: UUID) -> Turn | None:
    """Begin the answer as the holder of ``token``; None when there is nothing (more) to answer.

    One that is begun again starts with an empty answer, and its page says that it was restarted.
    Raises TryLater while the thread is deleted but may come back.
    """
    held = WorkItem.objects.filter(pk=OuterRef("work_id"), token=token)
    deleted = Thread.objects.filter(pk=OuterRef("thread_id"), deleted_at__isnull=False)
    begun = (
        Turn.objects.filter(status__in=[TurnStatus.QUEUED, TurnStatus.RUNNING])
        .filter(Exists(held), ~Exists(deleted), pk=turn_id)
        .update(
            status=TurnStatus.RUNNING,
            attempt=F("attempt") + 1,
            # Begun before and not ended: its worker was lost, or stopped for a deploy.
            restarts=Case(When(status=TurnStatus.RUNNING, then=F("restarts") + 1), default=0),
            started_at=Coalesce(F("started_at"), Now()),
            partial="",
            partial_seq=0,
            updated_at=Now(),
        )
    )
    if not begun:
        if Turn.objects.open().filter(pk=turn_id, thread__deleted_at__isnull=False).exists():
            raise TryLater(LOOK_AGAIN, "the thread is deleted")
        return None
    turn = Turn.objects.select_related(
        "thread", "prompt", "message", "agent", "organisation", "requested_by"
    ).get(pk=turn_id)
    if turn.restarts:
        with changing(turn.thread_id) as change:
            change.touch(turn.message)
            turn.message.save(update_fields=["seq", "updated_at"])
    return turn


def route_turn(turn: Turn, agent: Agent | None, *, token: UUID) -> bool:
    """``agent`` answers the turn, as was just chosen; False when the turn is ours no more."""
    with changing(turn.thread_id) as change:
        meta = {key: value for key, value in turn.meta.items() if key != "route"}
        held = WorkItem.objects.filter(pk=OuterRef("work_id"), token=token)
        ours = Turn.objects.owned(turn.attempt).filter(Exists(held), pk=turn.pk)
        if not ours.update(agent=agent, meta=meta, updated_at=Now()):
            return False
        turn.agent, turn.meta = agent, meta
        if agent is not None:
            turn.message.agent, turn.message.author_name = agent, agent.name
            ThreadParticipant.objects.get_or_create(thread=change.thread, agent=agent)
        change.touch(turn.message)
        change.restate()  # choosing may have cost something
        turn.message.save(update_fields=["agent", "author_name", "seq", "updated_at"])
    return True


_CHECKPOINT = """
    UPDATE chat_app_turn AS turn
       SET partial = seen.partial,
           partial_seq = seen.partial_seq,
           first_token_at = CASE WHEN seen.partial_seq > 0
                                 THEN COALESCE(turn.first_token_at, now()) END
      FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::int[])
           AS seen (id, attempt, partial, partial_seq)
     WHERE turn.id = seen.id AND turn.attempt = seen.attempt AND turn.status = 'running'
"""


def checkpoint_turns(checkpoints: Sequence[Checkpoint]) -> None:
    """Store the partial answers of a worker in one statement; those it lost are left alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CHECKPOINT,
            [
                [row.turn_id for row in checkpoints],
                [row.attempt for row in checkpoints],
                [row.partial for row in checkpoints],
                [row.partial_seq for row in checkpoints],
            ],
        )


def finish_turn(turn: Turn, outcome: Outcome, work: Claimed | None = None) -> bool:
    """Store the answer and close the turn in one transaction; False when it is ours no more.

    ``work`` is the attempt that ends with it, in the same transaction.
    """
    try:
        _finish(turn, outcome, work)
    except (_NotOurs, WorkLost):
        return False
    return True


class _NotOurs(Exception):
    """Rolls the change back, its number included."""


def _finish(turn: Turn, outcome: Outcome, work: Claimed | None) -> None:
    with changing(turn.thread_id) as change:
        closed = (
            Turn.objects.owned(turn.attempt)
            .filter(pk=turn.pk)
            .update(
                status=outcome.status,
                finished_at=Now(),
                partial="",
                error=outcome.cause[:4000],
                error_code=outcome.error_code,
                updated_at=Now(),
            )
        )
        if not closed:
            raise _NotOurs
        if work is not None:
            finish_work(work)
        message = store_answer(change, turn, outcome)
        change.said(message)
        if outcome.status == TurnStatus.FAILED:
            _record_failure(turn, outcome)
        turn.status = outcome.status
        turn_ended(change, turn, message)


def store_answer(change: Change, turn: Turn, outcome: Outcome) -> Message:
    """What the model said in this step, in its message; its calls, in the ledger."""
    message = change.thread.messages.select_for_update(of=("self",)).get(pk=turn.message_id)
    parts, message.sources = cited_parts(turn.organisation_id, turn.pk, outcome.parts)
    set_parts(message, parts)
    failed = outcome.status == TurnStatus.FAILED
    message.status = MessageStatus.FAILED if failed else MessageStatus.SUCCESS
    message.error = (outcome.error or AgentExecutionError.user_message) if failed else ""
    message.error_code = outcome.error_code if failed else ""
    message.finish_reason = outcome.finish_reason
    message.usage = outcome.usage.to_json() if outcome.usage else None
    message.model, message.provider = outcome.model, outcome.provider
    change.touch(message)
    message.save()
    keep_calls(outcome.calls)
    if any(call.cost != 0 for call in outcome.calls):
        change.restate()  # what the thread has cost
    if turn.requested_by is not None:
        spent = sum(call.usage.total_tokens for call in outcome.calls)
        settle_tokens(turn.organisation, turn.requested_by, spent)
    return message


def turn_ended(change: Change, turn: Turn, message: Message) -> None:
    """What follows the end of a turn, in its transaction; ``message`` is the last it wrote."""
    announce_inbox(change.thread)
    for follow in _following:
        follow(change, turn, message)


# Filled by services that care for the end of turns, and know this module.
_following: list[Callable[[Change, Turn, Message], None]] = []


def after_turns(follow: Callable[[Change, Turn, Message], None]) -> None:
    """Have ``follow(change, turn, message)`` called in the transaction that ends a turn."""
    _following.append(follow)


def _record_failure(turn: Turn, outcome: Outcome) -> None:
    logger.error(
        "turn %s of thread %s failed (%s): %s",
        turn.pk,
        turn.thread_id,
        outcome.error_code,
        outcome.cause,
    )
    record_event(
        turn.organisation,
        "agent_error",
        actor=turn.requested_by,
        target=f"thread:{turn.thread_id}",
        data={
            "turn": str(turn.pk),
            "agent": str(turn.agent_id),
            "code": outcome.error_code,
            "error": outcome.cause[:2000],
        },
    )


def outcome_of_partial(turn: Turn, status: str) -> Outcome:
    """The end of a turn that no worker holds: what the last checkpoint has."""
    parts = [TextPart(turn.partial)] if turn.partial else []
    if status == TurnStatus.STOPPED:
        return Outcome(status=status, parts=parts, finish_reason="stopped")
    return Outcome(
        status=status,
        parts=parts,
        finish_reason="error",
        error_code="worker_lost",
        cause=f"the worker was lost {settings.ONE_TURN_MAX_ATTEMPTS} times",
    )
