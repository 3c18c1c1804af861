"""The conversations as real threads, and the product's own search over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.evaluation.loading import Conversation, Message

if TYPE_CHECKING:
    from agents_app.models import EmbeddingSpace
    from one_project.accounts.models import Organisation, User

BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Chats:
    """Where the threads are, and the ids in the set of their messages."""

    organisation: "Organisation"
    user: "User"  # takes part in all threads
    names: dict[UUID, str]

    def search(
        self,
        question: str,
        space_id: int,
        vector: Sequence[float] | None,
        *,
        words: bool = True,
        limit: int = 10,
    ) -> list[str]:
        """Ids of messages, best first. Words alone: no ``vector``; vectors alone: not ``words``."""
        from agents_app.search.query_vectors import QueryVector
        from chat_app.models import Thread
        from chat_app.search.finding import Where, find_entries

        found = find_entries(
            Where(
                organisation=self.organisation,
                threads=Thread.objects.visible_to(self.user),
            ),
            question,
            limit=limit,
            vector=QueryVector(space_id, tuple(vector)) if vector is not None else QueryVector(),
            text_search=words,
        )
        return [self.names[one.message.pk] for one in found if one.message]


def load_chats(conversations: Sequence[Conversation], organisation: "Organisation") -> Chats:
    """A thread for each conversation, its messages indexed by their words."""
    from agents_app.models import Agent
    from benchmarks.people import make_user
    from chat_app.services.threads import create_thread

    user, agent = make_user(organisation), Agent.objects.get(organisation=organisation)
    chats = Chats(organisation, user, {})
    for conversation in conversations:
        thread = create_thread(organisation, user=user, agent=agent, title=conversation.title)
        _add_messages(chats, thread, agent, conversation.messages)
    return chats


async def embed_chats(chats: Chats, space: "EmbeddingSpace") -> int:
    """Vectors of all messages, as a worker makes them; how many."""
    from agents_app.services.embedding import embed_into
    from chat_app.models import SearchEntry
    from chat_app.search.entries import ENTRIES
    from one_project.common.database import in_thread
    from one_project.common.tenancy import in_tenant

    organisation = chats.organisation.pk

    def entries() -> list[UUID]:
        with in_tenant(organisation):
            rows = SearchEntry.objects.filter(organisation=organisation)
            return list(rows.values_list("pk", flat=True))

    return await embed_into(space, ENTRIES, organisation, await in_thread(entries))


def _add_messages(chats: Chats, thread: object, agent: object, said: Sequence[Message]) -> None:
    """What a person says begins a new prompt; what the agent says answers the one before."""
    from django.db import transaction

    from agents_app.providers.parts import TextPart
    from chat_app.models import Message as Row
    from chat_app.models import MessageKind, Thread
    from chat_app.services.indexing import index_messages

    assert isinstance(thread, Thread)
    rows: list[Row] = []
    order, step = -1, 0
    for seq, message in enumerate(said, 1):
        asks = message.kind == "user"
        order, step = (order + 1, 0) if asks else (order, step + 1)
        rows.append(
            Row(
                organisation=chats.organisation,
                thread=thread,
                order=order,
                step_order=step,
                kind=MessageKind.USER if asks else MessageKind.AGENT,
                author=chats.user if asks else None,
                agent=None if asks else agent,
                author_name=message.speaker,
                content=[TextPart(message.text).to_json()],
                text=message.text,
                seq=seq,
                created_at=BEGIN + timedelta(minutes=message.minute),
            )
        )
    Row.objects.bulk_create(rows)
    Thread.objects.filter(pk=thread.pk).update(seq=len(rows), message_seq=len(rows))
    chats.names.update({row.pk: message.id for row, message in zip(rows, said, strict=True)})
    with transaction.atomic():
        index_messages(thread, [row.pk for row in rows])
