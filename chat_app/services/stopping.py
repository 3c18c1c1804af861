"""Stopping an answer, and ending what it waits for when nobody needs that any more."""

from uuid import UUID

from django.utils import timezone

from agents_app.models import CallStatus, ToolCall
from agents_app.providers.parts import Part, TextPart
from agents_app.services.approvals import denied
from agents_app.services.tool_calls import cancel_calls, end_call
from chat_app.errors import ThreadNotFound, TurnOver
from chat_app.models import Message, MessageStatus, Thread, Turn, TurnStatus
from chat_app.services.changes import Change, changing
from chat_app.services.messages import set_parts
from chat_app.services.steps import go_on_if_all_ended
from chat_app.services.turns import turn_ended
from one_project.workflows.definitions import step
from one_project.workflows.services.work import ask_to_stop, enqueue

STOPPED = "It was stopped."
SENT_INSTEAD = "A new message was sent instead."


def stop_turn(thread: Thread, turn_id: UUID) -> Turn:
    """Stop an answer, keeping what has arrived. Raises TurnOver when it has ended.

    A turn no worker holds ends here; a running one is asked to stop, and its worker ends it.
    """
    with changing(thread.pk) as change:
        turn = (
            Turn.objects.select_for_update(of=("self",))
            .select_related("message")
            .filter(pk=turn_id, thread=thread)
            .first()
        )
        if turn is None or not turn.is_open:
            raise TurnOver
        turn.stop_requested_at = timezone.now()
        if turn.status == TurnStatus.WAITING:
            turn.save(update_fields=["stop_requested_at", "updated_at"])
            stop_waiting(change, turn)
            turn.refresh_from_db()
            return turn
        if turn.work_id is None or ask_to_stop(turn.work_id):
            turn.status, turn.finished_at = TurnStatus.STOPPED, timezone.now()
            parts: list[Part] = [TextPart(turn.partial)] if turn.partial else []
            set_parts(turn.message, parts)
            turn.partial = ""
            turn.message.status = MessageStatus.SUCCESS
            turn.message.finish_reason = "stopped"
            change.touch(turn.message)
            turn.message.save()
            turn_ended(change, turn, turn.message)
        turn.save(
            update_fields=["status", "finished_at", "stop_requested_at", "partial", "updated_at"]
        )
    return turn


def stop_waiting(change: Change, turn: Turn) -> None:
    """Cancel all the turn waits for, its thread being locked; it ends when what runs has ended."""
    calls = list(ToolCall.objects.open().filter(turn_id=turn.pk).in_order())
    for call in calls:
        if call.child_thread_id is not None:
            enqueue(stop_delegation, call.child_thread_id, organisation_id=turn.organisation_id)
    cancel_calls(calls, STOPPED)
    go_on_if_all_ended(change, turn)


def withdraw_calls(change: Change, why: str) -> None:
    """Deny what waits for a person in the thread; its turns end when nothing else of them runs."""
    calls = list(
        ToolCall.objects.filter(
            thread_id=change.thread.pk,
            status__in=[CallStatus.AWAITING_APPROVAL, CallStatus.WAITING],
            child_thread_id=None,
        ).exclude(pk__in=ToolCall.objects.sending().values("pk"))
    )
    for call in calls:
        end_call(call, denied(why))
        ToolCall.objects.filter(pk=call.pk, status=CallStatus.DENIED).update(reason=why)
    for turn in Turn.objects.filter(
        pk__in={call.turn_id for call in calls}, status=TurnStatus.WAITING
    ):
        turn.stop_requested_at = timezone.now()
        turn.save(update_fields=["stop_requested_at", "updated_at"])
        results = Message.objects.filter(turn=turn, status=MessageStatus.PENDING).first()
        if results is not None:
            change.touch(results)
            results.save(update_fields=["seq", "updated_at"])
        go_on_if_all_ended(change, turn)


@step(name="chat_app.stop_delegation", kind="transaction")
def stop_delegation(thread_id: UUID) -> None:
    """Stop what is still answered in a nested thread whose result nobody waits for any more."""
    thread = Thread.objects.filter(pk=thread_id).first()
    if thread is None:
        return
    for turn in Turn.objects.open().filter(thread=thread):
        try:
            stop_turn(thread, turn.pk)
        except (TurnOver, ThreadNotFound):
            continue
