"""Ending what a turn waits for: calls that nobody needs any more, for a caller that has locked
the thread."""

from django.utils import timezone

from agents_app.models import CallStatus, ToolCall
from agents_app.services.approvals import denied
from agents_app.services.tool_calls import cancel_calls, end_call
from chat_app.models import Message, MessageStatus, Turn, TurnStatus
from chat_app.services.changes import Change
from chat_app.services.steps import go_on_if_all_ended
from one_project.workflows.definitions import find_step
from one_project.workflows.services.work import enqueue

STOPPED = "It was stopped."
SENT_INSTEAD = "A new message was sent instead."


def stop_waiting(change: Change, turn: Turn) -> None:
    """Cancel all the turn waits for; what runs ends by itself, and then the turn ends."""
    calls = list(ToolCall.objects.open().filter(turn_id=turn.pk).in_order())
    for call in calls:
        if call.child_thread_id is not None:
            stops = find_step("chat_app.stop_delegation")
            enqueue(stops, call.child_thread_id, organisation_id=turn.organisation_id)
    cancel_calls(calls, STOPPED)
    go_on_if_all_ended(change, turn)


def withdraw_calls(change: Change, why: str) -> None:
    """Deny what waits for a person in the thread; its turns end when nothing else of them runs."""
    calls = list(
        ToolCall.objects.filter(
            thread_id=change.thread.pk,
            status__in=[CallStatus.AWAITING_APPROVAL, CallStatus.WAITING],
            child_thread_id=None,
        )
    )
    for call in calls:
        end_call(call, denied(why))
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
