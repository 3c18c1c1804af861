"""Services and rules of access, called as interfaces call them, with what belongs to others."""

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from benchmarks.tenancy.ledger import Ledger, outcome, undone
from benchmarks.tenancy.side import QUESTION, Side, vector

if TYPE_CHECKING:
    from one_project.accounts.models import User

WAY: Final = "services"
Ask = Callable[[Side, "User", UUID], Any]


class ByService:
    def __init__(self, sides: list[Side], space_id: int) -> None:
        self.sides = sides
        self.space_id = space_id
        # By the kind of thing an id is of; who may use it in its own organisation.
        self.asks: dict[str, tuple[str, str, Ask]] = _asks()

    def probe(self, ledger: Ledger, rng: random.Random, mine: Side, other: Side) -> None:
        user = rng.choice(list(mine.people.values()))
        if rng.random() < 0.5:
            self._by_id(ledger, rng, mine, other, user)
        else:
            name, search = rng.choice(list(self._searches(mine, other, user, rng).items()))
            ledger.probe(WAY, name, self._searched(search, other))

    def _by_id(
        self, ledger: Ledger, rng: random.Random, mine: Side, other: Side, user: "User"
    ) -> None:
        """What is the other's has to look like what does not exist."""
        name = rng.choice(list(self.asks))
        kind, _, ask = self.asks[name]
        # Mostly an id of the right kind, sometimes one of any.
        key = other.ids[kind] if rng.random() < 0.8 else rng.choice(list(other.ids.values()))
        leak = ""
        with undone():
            found = outcome(lambda: ask(mine, user, key))
            missing = outcome(lambda: ask(mine, user, UUID(int=rng.getrandbits(128), version=4)))
        if other.marker in found.lower():
            leak = "its marker came back"
        elif found != missing:
            leak = f"{found[:100]!r} differs from {missing[:100]!r} of what does not exist"
        ledger.probe(WAY, name, leak)

    def _searched(self, search: Callable[[], Any], other: Side) -> str:
        with undone():
            found = outcome(search)
        return "its marker came back" if other.marker in found.lower() else ""

    def _searches(
        self, mine: Side, other: Side, user: "User", rng: random.Random
    ) -> Mapping[str, Callable[[], Any]]:
        from agents_app.search.query_vectors import QueryVector, known_vector
        from agents_app.services.citations import offered_passages
        from agents_app.services.document_reading import list_collections
        from agents_app.services.embedding_batches import (
            delete_embeddings,
            insert_embeddings,
            paginate_embeddings,
            update_embeddings,
        )
        from agents_app.services.knowledge import remove_document, search_knowledge
        from chat_app.models import Thread
        from chat_app.search.finding import Where, find_entries
        from chat_app.services.reading import list_threads, unread_count
        from chat_app.services.searching import search_messages

        text = rng.choice([QUESTION, "budget", other.marker, f'"{other.marker}"', "harv", "feast"])
        given = rng.choice(
            [QueryVector(), QueryVector(self.space_id, tuple(vector(rng.randrange(9))))]
        )
        asked: dict[str, Any] = {"text": text, "vector": given, "limit": 50}
        known: dict[str, Any] = {"query": text, "vector": given, "limit": 50}
        ids = other.ids
        chunk = {ids["document_id"]: vector(0)}
        return {
            "search_messages": lambda: search_messages(
                mine.organisation, user=user, prefix=rng.random() < 0.5, **asked
            ),
            "search_messages, its organisation": lambda: search_messages(
                other.organisation, user=user, **asked
            ),
            "search_messages, its thread": lambda: search_messages(
                mine.organisation, user=user, thread=other.thread, other_threads=True, **asked
            ),
            "find_entries, all its threads": lambda: find_entries(
                Where(organisation=mine.organisation, threads=Thread.objects.all()),
                text,
                vector=given,
                limit=50,
            ),
            "search_knowledge": lambda: search_knowledge(mine.organisation, user=user, **known),
            "search_knowledge, its organisation": lambda: search_knowledge(
                other.organisation, user=user, neighbours=3, **known
            ),
            "search_knowledge, its agent": lambda: search_knowledge(
                mine.organisation, user=user, agent=other.agent, **known
            ),
            "search_knowledge, its collection": lambda: search_knowledge(
                mine.organisation, user=user, collections=[ids["collection_id"]], **known
            ),
            "search_knowledge, its document": lambda: search_knowledge(
                mine.organisation, user=user, documents=[ids["document_id"]], **known
            ),
            "search_knowledge, as a program": lambda: search_knowledge(
                mine.organisation, user=None, **known
            ),
            "list_threads": lambda: list_threads(user, other.organisation),
            "unread_count": lambda: unread_count(user, other.organisation),
            "list_collections": lambda: list_collections(user, other.organisation),
            "offered_passages": lambda: offered_passages(mine.organisation.pk, ids["turn_id"]),
            "remove_document by title": lambda: (
                remove_document(mine.organisation, user=user, named=rng.choice(other.titles))
                and _told(other)
            ),
            "remove_document, its organisation": lambda: remove_document(
                other.organisation, user=user, named=rng.choice(other.titles)
            ),
            "known_vector": lambda: known_vector(mine.organisation.pk, f"{other.marker} {text}"),
            "paginate_embeddings": lambda: paginate_embeddings(mine.organisation, "chunk"),
            "insert_embeddings": partial(insert_embeddings, mine.organisation, "chunk", chunk),
            "update_embeddings": partial(update_embeddings, mine.organisation, "entry", chunk),
            "delete_embeddings": lambda: (
                delete_embeddings(mine.organisation, "chunk", list(ids.values())) and _told(other)
            ),
        }

    def controls(self, ledger: Ledger) -> None:
        from agents_app.search.query_vectors import QueryVector
        from agents_app.services.citations import offered_passages
        from agents_app.services.knowledge import search_knowledge
        from chat_app.services.searching import search_messages

        given = QueryVector(self.space_id, tuple(vector(0)))
        for side in self.sides:
            for name, (kind, role, ask) in self.asks.items():
                with undone():
                    found = outcome(partial(ask, side, side.people[role], side.ids[kind]))
                ledger.control(WAY, name, seen=side.is_in(found))
            member = side.people["member"]
            for text, vectors in ((QUESTION, QueryVector()), ("", given), (QUESTION, given)):
                messages = search_messages(
                    side.organisation, user=member, text=text, vector=vectors
                )
                ledger.control(WAY, "search_messages", seen=side.is_in(outcome(lambda: messages)))  # noqa: B023
                if text:
                    passages = search_knowledge(
                        side.organisation, user=member, query=text, vector=vectors
                    )
                    ledger.control(
                        WAY,
                        "search_knowledge",
                        seen=side.is_in(outcome(lambda: passages)),  # noqa: B023
                    )
            offered = offered_passages(side.organisation.pk, side.ids["turn_id"])
            ledger.control(WAY, "offered_passages", seen=side.is_in(outcome(lambda: offered)))  # noqa: B023


def _told(other: Side) -> str:
    """What a call that had an effect on the other's things is counted as."""
    return other.marker


def _asks() -> dict[str, tuple[str, str, Ask]]:
    """name: (kind of id, who may at home, the call)."""
    from agents_app import access
    from agents_app.services.files import find_file, get_file, open_file
    from agents_app.services.knowledge import remove_document
    from chat_app import access as chat
    from chat_app.services.attachments import attachable_files
    from chat_app.services.playground import access_trial, open_thread
    from chat_app.services.playground_inputs import access_input_set
    from chat_app.services.reading import get_thread_context

    def opened(side: Side, _: "User", key: UUID) -> Any:
        with open_file(find_file(side.organisation.pk, key)) as file:
            return file.read()

    found: dict[str, tuple[str, str, Ask]] = {
        "access_thread": ("thread_id", "member", lambda s, u, k: chat.access_thread(u, k)),
        "get_thread_context": (
            "thread_id",
            "owner",
            lambda s, u, k: get_thread_context(chat.access_thread(u, k)),
        ),
        "access_message": (
            "message_id",
            "member",
            lambda s, u, k: chat.access_message(s.thread, k),
        ),
        "access_tool_call": ("call_id", "owner", lambda s, u, k: chat.access_tool_call(u, k)),
        "access_escalation": (
            "escalation_id",
            "staff",
            lambda s, u, k: chat.access_escalation(u, s.organisation, k),
        ),
        "access_task": (
            "task_id",
            "member",
            lambda s, u, k: chat.access_task(u, s.organisation, k),
        ),
        "open_thread": (
            "thread_id",
            "staff",
            lambda s, u, k: open_thread(s.organisation, k, by=u),
        ),
        "access_trial": (
            "trial_id",
            "staff",
            lambda s, u, k: access_trial(s.organisation, k, by=u),
        ),
        "access_input_set": (
            "set_id",
            "staff",
            lambda s, u, k: access_input_set(s.organisation, k),
        ),
        "find_file": ("file_id", "owner", lambda s, u, k: find_file(s.organisation.pk, k)),
        "get_file": (
            "file_id",
            "owner",
            lambda s, u, k: get_file(s.organisation.pk, k, inline=True),
        ),
        "open_file": ("file_id", "owner", opened),
        "attachable_files": (
            "file_id",
            "owner",
            lambda s, u, k: attachable_files(s.organisation.pk, u, [k]),
        ),
        "remove_document": (
            "document_id",
            "member",
            lambda s, u, k: remove_document(s.organisation, user=u, named=str(k)),
        ),
    }
    for thing in ("agent", "prompt", "collection", "document"):
        for rule in (f"access_{thing}", f"access_{thing}_to_edit"):
            found[rule] = (f"{thing}_id", "member", _rule(getattr(access, rule)))
    found["access_tool_to_edit"] = ("tool_id", "member", _rule(access.access_tool_to_edit))
    return found


def _rule(rule: Callable[..., Any]) -> Ask:
    return lambda side, user, key: rule(user, side.organisation, key)
