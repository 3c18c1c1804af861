"""The search over what somebody has said in all their threads."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from benchmarks import options
from benchmarks.people import make_user
from benchmarks.searching.made_up import MadeUp
from benchmarks.searching.timing import Times, timed
from benchmarks.searching.writing import analyse, write_vectors

if TYPE_CHECKING:
    from agents_app.models import EmbeddingSpace
    from one_project.accounts.models import Organisation, User

WORDS = 20  # of a message
THREAD = 300  # messages of one
LIMIT = 10
WAYS = ("text", "vector", "hybrid")


def bench_messages(
    organisation: "Organisation", space: "EmbeddingSpace", counts: Sequence[int], queries: int
) -> list[dict[str, Any]]:
    """Times of each way to search, for somebody with each number of messages."""
    people = []
    for count in counts:
        options.say(f"Writing {count:,} messages ...")
        people.append((count, *write_messages(organisation, space, MadeUp(count), count, queries)))
    analyse()
    rows = []
    for count, user, asked in people:
        for way in WAYS:
            times = search_messages(organisation, space, user, asked, way)
            rows.append({"messages": count, "way": way, **times.figures()})
        options.say(f"  {count:,} messages: {rows[-1]['sql_p50_ms']:.1f} ms of SQL (hybrid)")
    return rows


def search_messages(
    organisation: "Organisation",
    space: "EmbeddingSpace",
    user: "User",
    asked: tuple[list[str], Any],
    way: str,
) -> Times:
    """Of the search as pages and tools call it, once somebody has made the query's vector."""
    from agents_app.search.query_vectors import QueryVector
    from chat_app.models import Thread
    from chat_app.search.finding import Found, Where, find_entries

    def search(text: str, vector: tuple[float, ...]) -> list[Found]:
        threads = Thread.objects.visible_to(user).filter(organisation=organisation)
        return find_entries(
            Where(organisation=organisation, threads=threads),
            text,
            limit=LIMIT,
            vector=QueryVector() if way == "text" else QueryVector(space.pk, vector),
            text_search=way != "vector",
        )

    found, times = timed(
        search, [(text, tuple(map(float, row))) for text, row in zip(*asked, strict=True)]
    )
    if not all(found):
        raise RuntimeError(f"a search by {way} found nothing")
    return times


def write_messages(
    organisation: "Organisation", space: "EmbeddingSpace", made: MadeUp, count: int, queries: int
) -> tuple["User", tuple[list[str], Any]]:
    """Somebody with ``count`` messages in threads of 300, indexed as the services index them; and
    questions about what was said."""
    import numpy as np

    user = make_user(organisation)
    topics = np.concatenate(
        [
            _write_thread(organisation, space, user, made, min(THREAD, count - begin))
            for begin in range(0, count, THREAD)
        ]
    )
    return user, made.queries(topics[made.numbers.integers(0, count, queries)])


def _write_thread(
    organisation: "Organisation", space: "EmbeddingSpace", user: "User", made: MadeUp, count: int
) -> Any:
    """The topics of its messages."""
    from django.db import transaction

    from agents_app.models import Agent
    from agents_app.providers.parts import TextPart
    from chat_app.models import Message, MessageKind, Thread, ThreadParticipant
    from chat_app.services.indexing import index_messages

    agent = Agent.objects.get(organisation=organisation)
    # A conversation is about few things.
    topics = made.topics(count, of=10)
    with transaction.atomic():
        thread = Thread.objects.create(
            organisation=organisation, created_by=user, agent=agent, title="Made up", seq=count
        )
        ThreadParticipant.objects.create(thread=thread, user=user)
        messages = [
            Message(
                organisation=organisation,
                thread=thread,
                order=number // 2,
                step_order=number % 2,
                kind=MessageKind.AGENT if number % 2 else MessageKind.USER,
                author=None if number % 2 else user,
                agent=agent if number % 2 else None,
                author_name=agent.name if number % 2 else "Viewer",
                content=[TextPart(text).to_json()],
                text=text,
                seq=number + 1,
            )
            for number, text in enumerate(made.texts(topics, WORDS))
        ]
        Message.objects.bulk_create(messages)
        index_messages(thread, [message.pk for message in messages])
        ids = _entries_of(organisation.pk, thread.pk)
        given = ([ids[message.pk] for message in messages], made.vectors(topics))
        write_vectors("chat_app_entryembedding", space.pk, organisation.pk, given)
    return topics


def _entries_of(organisation_id: UUID, thread_id: UUID) -> dict[UUID, UUID]:
    """Ids of entries by those of their messages."""
    from chat_app.models import SearchEntry
    from one_project.common.tenancy import in_tenant

    with in_tenant(organisation_id):
        rows = SearchEntry.objects.filter(thread=thread_id)
        return dict(rows.values_list("message_id", "pk"))
