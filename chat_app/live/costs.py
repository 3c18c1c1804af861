"""What the answers on a page have cost: one query for any number of messages."""

from collections.abc import Sequence
from uuid import UUID

from billing_app.services.costs import cost_of_messages
from chat_app.models import Message, MessageKind, MessageStatus


def attach_costs(messages: Sequence[Message]) -> None:
    """Give each answer its ``cost``: of all calls of its turn at the turn's last words, of its own
    call where a program asked. ``messages`` are of one thread."""
    keys = {message.pk: key for message in messages if (key := _key(message))}
    if not keys:
        return
    of = messages[0]
    found = cost_of_messages(of.organisation_id, of.thread_id, set(keys.values()))
    for message in messages:
        if key := keys.get(message.pk):
            message.cost = found.get(key)


def _key(message: Message) -> UUID | None:
    """Whose calls count for the message; None where nothing is said of their cost.

    Steps that ask for tools are part of an answer that has not ended.
    """
    if message.kind != MessageKind.AGENT or message.status == MessageStatus.PENDING:
        return None
    if message.turn_id is None:
        return message.pk
    return None if message.is_tool else message.turn_id
