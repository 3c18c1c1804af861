"""The calls that a message of kind tool shows: one query for any number of messages."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from agents_app.models import ToolCall
from chat_app.models import Message, MessageKind


def attach_calls(messages: Sequence[Message]) -> None:
    """Give each message of kind tool its ``calls``, in the order of the model; none of those that
    a person has replaced by a changed one."""
    wanted = [message.pk for message in messages if message.kind == MessageKind.TOOL]
    if not wanted:
        return
    found: dict[UUID | None, list[ToolCall]] = defaultdict(list)
    calls = ToolCall.objects.filter(message_id__in=wanted, replaced_by=None).select_related(
        "decided_by", "agent", "replaces"
    )
    for call in calls.order_by("position", "created_at"):
        found[call.message_id].append(call)
    for message in messages:
        if message.kind == MessageKind.TOOL:
            message.calls = found[message.pk]
