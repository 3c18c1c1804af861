"""What programs have agents say, as rows: drafts, and what a repeated run finds again."""

from collections.abc import Sequence
from uuid import UUID, uuid5

from agents_app.providers.parts import Role, part_from_json
from agents_app.runtime.agent import Agent
from agents_app.runtime.store import NewMessage, SavedMessage
from chat_app.models import Message, MessageKind, MessageStatus
from chat_app.services.changes import Change
from chat_app.types import MessageDraft
from one_project.accounts.models import User
from one_project.common.text import clean_json

KINDS: dict[Role, str] = {
    "user": MessageKind.USER,
    "assistant": MessageKind.AGENT,
    "system": MessageKind.SYSTEM,
    "tool": MessageKind.TOOL,
}
ROLES: dict[str, Role] = {kind: role for role, kind in KINDS.items()}


def saved(message: Message) -> SavedMessage:
    """A row as the runtime knows it."""
    return SavedMessage(
        id=message.pk,
        order=message.order,
        step_order=message.step_order,
        role=ROLES[message.kind],
        status=message.status,
        text=message.text,
        parts=tuple(message.parts),
        finish_reason=message.finish_reason,
    )


def drafts_of(
    messages: Sequence[NewMessage], agent: Agent | None, user: User | None, key: UUID | None = None
) -> list[MessageDraft]:
    """Agent, model and provider are told of what agents say only (T-G14)."""
    drafts = [
        MessageDraft(
            kind=KINDS[message.role],
            parts=[part_from_json(clean_json(part.to_json())) for part in message.parts],
            author=user if message.role == "user" else None,
            agent=agent.row if agent and message.role == "assistant" else None,
            author_name=agent.name[:120] if agent and message.role == "assistant" else "",
            model=message.model[:120],
            provider=message.provider[:64],
            finish_reason=message.finish_reason[:32],
            usage=message.usage,
            provider_options=message.provider_options,
            client_key=message.key,
        )
        for message in messages
    ]
    if key is not None and drafts:
        drafts[-1].client_key = key_of(key, "prompt")
    return drafts


def pending_draft(agent: Agent) -> MessageDraft:
    return MessageDraft(
        kind=MessageKind.AGENT,
        status=MessageStatus.PENDING,
        agent=agent.row,
        author_name=agent.name[:120],
    )


def key_of(key: UUID, what: str) -> UUID:
    """The key of one of a run's messages."""
    return uuid5(key, what)


def mark_run(pending: Message, key: UUID | None) -> None:
    """Have a repeated run find its answer."""
    if key is not None:
        pending.meta = {**pending.meta, "run": str(key)}
        pending.save(update_fields=["meta"])


def replace_earlier(change: Change, pending: Message, key: UUID | None) -> None:
    """What the same run had begun before it failed or its worker was lost is not shown twice."""
    if key is None:
        return
    begun = change.thread.messages.current().filter(order=pending.order, meta__run=str(key))
    for old in begun.exclude(status=MessageStatus.SUCCESS).exclude(pk=pending.pk):
        old.superseded_by = pending
        change.touch(old)
        old.save(update_fields=["superseded_by", "seq", "updated_at"])


def answer_of_run(prompt: Message, key: UUID | None) -> Message | None:
    """The end of the answer that a run with this key gave, if it came to its end."""
    if key is None:
        return None
    last = prompt.thread.messages.filter(order=prompt.order, meta__run=str(key)).in_order().last()
    ended = last is not None and last.status == MessageStatus.SUCCESS
    if not ended or last is None or last.is_tool:
        return None
    return last
