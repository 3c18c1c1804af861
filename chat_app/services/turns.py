"""The worker's verbs on turns: claim, keep alive, finish, give back, sweep.

A turn belongs to an attempt. Every write asks for the attempt in its WHERE, so a worker that lost
its turn (it slept, it was cut off) changes nothing any more. Leases are compared by the database's
clock.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import (
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from agents_app.errors import AgentExecutionError
from agents_app.providers.events import Usage
from agents_app.providers.parts import Part, TextPart
from chat_app.live.announce import announce_inbox
from chat_app.models import MessageStatus, Thread, Turn, TurnStatus
from chat_app.services.changes import changing
from chat_app.services.conversation import WAKE
from chat_app.services.messages import set_parts
from one_project.accounts.services.events import record_event
from one_project.common.jobs import enqueue

logger = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A running turn as its worker sees it; ``partial`` None where nothing is new."""

    turn_id: UUID
    attempt: int
    partial: str | None
    partial_seq: int


def _lease() -> Combinable:
    return ExpressionWrapper(
        Now() + Value(timedelta(seconds=settings.ONE_TURN_LEASE), output_field=DurationField()),
        output_field=DateTimeField(),
    )


def claim_turn(turn_id: UUID, *, worker: str) -> Turn | None:
    """Take a queued turn: one worker gets it, the others None.

    A turn claimed again starts with an empty answer, and its page says that it was restarted.
    """
    # No join here: Django would turn it into a subquery, which does not see that the row has just
    # been taken by another worker, and two would get the turn.
    deleted = Thread.objects.filter(pk=OuterRef("thread_id"), deleted_at__isnull=False)
    claimed = (
        Turn.objects.ready()
        .filter(~Exists(deleted), pk=turn_id)
        .update(
            status=TurnStatus.RUNNING,
            attempt=F("attempt") + 1,
            worker=worker,
            lease_until=_lease(),
            started_at=Coalesce(F("started_at"), Now()),
            partial="",
            partial_seq=0,
            updated_at=Now(),
        )
    )
    if not claimed:
        return None
    turn = Turn.objects.select_related("thread", "prompt", "message", "agent", "organisation").get(
        pk=turn_id
    )
    if turn.attempt > 1:
        with changing(turn.thread_id) as change:
            change.touch(turn.message)
            turn.message.save(update_fields=["seq", "updated_at"])
    return turn


_CHECKPOINT = """
    UPDATE chat_app_turn AS turn
       SET partial = COALESCE(seen.partial, turn.partial),
           partial_seq = seen.partial_seq,
           first_token_at = CASE WHEN seen.partial_seq > 0
                                 THEN COALESCE(turn.first_token_at, now()) END,
           lease_until = now() + %s * interval '1 second'
      FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::int[])
           AS seen (id, attempt, partial, partial_seq)
     WHERE turn.id = seen.id AND turn.attempt = seen.attempt AND turn.status = 'running'
 RETURNING turn.id, turn.stop_requested_at IS NOT NULL
"""


def checkpoint_turns(checkpoints: Sequence[Checkpoint]) -> dict[UUID, bool]:
    """Keep turns alive and store their partial answers: one statement for all of a worker's.

    Returns the turns still owned, each with whether it was asked to stop; a turn that is missing
    belongs to somebody else now.
    """
    if not checkpoints:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            _CHECKPOINT,
            [
                settings.ONE_TURN_LEASE,
                [row.turn_id for row in checkpoints],
                [row.attempt for row in checkpoints],
                [row.partial for row in checkpoints],
                [row.partial_seq for row in checkpoints],
            ],
        )
        return dict(cursor.fetchall())


def finish_turn(turn: Turn, outcome: Outcome) -> bool:
    """Store the answer and close the turn in one transaction; False when it is ours no more."""
    try:
        _finish(turn, outcome)
    except _NotOurs:
        return False
    return True


class _NotOurs(Exception):
    """Rolls the change back, its number included."""


def _finish(turn: Turn, outcome: Outcome) -> None:
    with changing(turn.thread_id) as change:
        closed = (
            Turn.objects.owned(turn.attempt)
            .filter(pk=turn.pk)
            .update(
                status=outcome.status,
                finished_at=Now(),
                partial="",
                lease_until=None,
                error=outcome.cause[:4000],
                error_code=outcome.error_code,
                updated_at=Now(),
            )
        )
        if not closed:
            raise _NotOurs
        message = change.thread.messages.select_for_update().get(pk=turn.message_id)
        set_parts(message, list(outcome.parts))
        failed = outcome.status == TurnStatus.FAILED
        message.status = MessageStatus.FAILED if failed else MessageStatus.SUCCESS
        message.error = (outcome.error or AgentExecutionError.user_message) if failed else ""
        message.error_code = outcome.error_code if failed else ""
        message.finish_reason = outcome.finish_reason
        message.usage = outcome.usage.to_json() if outcome.usage else None
        message.model, message.provider = outcome.model, outcome.provider
        change.touch(message)
        message.save()
        change.said(message)
        if failed:
            _record_failure(turn, outcome)
        announce_inbox(change.thread)


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


def release_turns(owned: Sequence[tuple[UUID, int]]) -> None:
    """Give turns back at an orderly end of a worker; the next one starts them again at once."""
    for turn_id, attempt in owned:
        with transaction.atomic():
            released = (
                Turn.objects.owned(attempt)
                .filter(pk=turn_id)
                .update(status=TurnStatus.QUEUED, lease_until=None, updated_at=Now())
            )
            if released:
                enqueue(WAKE, turn_id=str(turn_id))


def sweep_turns(limit: int) -> list[UUID]:
    """Put turns of vanished workers back, end those that cannot go on, and name what waits.

    Runs every few seconds in every worker. Returns up to ``limit`` queued turns whose wake-up
    call may have been lost (older than two seconds), oldest first.
    """
    for turn in Turn.objects.lapsed().select_related(
        "organisation", "requested_by", "message", "thread"
    )[:200]:
        _requeue(turn)
    # A deleted thread's turns wait for its purge.
    waiting = Turn.objects.ready().filter(
        thread__deleted_at=None, updated_at__lt=timezone.now() - timedelta(seconds=2)
    )
    return list(waiting.order_by("created_at").values_list("pk", flat=True)[:limit])


def _requeue(turn: Turn) -> None:
    lapses = turn.lapses + 1
    if turn.thread.deleted_at is not None:
        return
    if turn.stop_requested_at:
        finish_turn(turn, _outcome_of_partial(turn, TurnStatus.STOPPED))
        return
    if lapses >= settings.ONE_TURN_MAX_ATTEMPTS:
        finish_turn(turn, _outcome_of_partial(turn, TurnStatus.FAILED))
        return
    lapsed = Turn.objects.lapsed().owned(turn.attempt).filter(pk=turn.pk)
    # The time of the change lies back, so that whoever sweeps next (we do) takes it at once.
    if lapsed.update(
        status=TurnStatus.QUEUED,
        lease_until=None,
        lapses=lapses,
        updated_at=Now() - Value(timedelta(seconds=10), output_field=DurationField()),
    ):
        logger.warning("turn %s lost its worker %s; queued again", turn.pk, turn.worker)


def _outcome_of_partial(turn: Turn, status: str) -> Outcome:
    parts = [TextPart(turn.partial)] if turn.partial else []
    if status == TurnStatus.STOPPED:
        return Outcome(status=status, parts=parts, finish_reason="stopped")
    return Outcome(
        status=status,
        parts=parts,
        finish_reason="error",
        error_code="worker_lost",
        cause=f"the worker was lost {settings.ONE_TURN_MAX_ATTEMPTS} times, last {turn.worker}",
    )
