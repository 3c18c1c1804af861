"""The search over messages and edits, in threads that the caller has a right to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from agents_app.search.fusion import CANDIDATES, Hit, fuse
from agents_app.search.legs import Asked, Scope, search_scope
from agents_app.search.query_vectors import QueryVector
from chat_app.models import EntryKind, Message, MessageStatus, SearchEntry, Thread, ThreadEdit
from one_project.accounts.models import Organisation
from one_project.common.tenancy import in_tenant

WORDS_ONLY = QueryVector()


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where to look. threads: a query of all that may be searched, by its caller's rights.

    thread_id: the present thread; what is hidden is found there only. before_order: of the present
    thread, only what was said before that prompt (CX-16); others are not limited. kinds: of
    entries.
    """

    organisation: Organisation
    threads: QuerySet[Thread]
    thread_id: UUID | None = None
    before_order: int | None = None
    kinds: tuple[str, ...] = (EntryKind.MESSAGE, EntryKind.EDIT)


@dataclass(frozen=True, slots=True)
class Found:
    """A hit: the message (or the edit), and how good it is (``agents_app.search.fusion.Hit``)."""

    entry: SearchEntry
    hit: Hit

    @property
    def message(self) -> Message | None:
        return self.entry.message

    @property
    def edit(self) -> ThreadEdit | None:
        return self.entry.edit


def find_entries(
    where: Where,
    text: str,
    *,
    limit: int = 10,
    vector: QueryVector = WORDS_ONLY,
    text_search: bool = True,
    threshold: float = -1.0,
    prefix: bool = False,
    strict: bool = True,
) -> list[Found]:
    """The best ``limit`` entries, best first. Words alone where ``vector`` has none.

    threshold: cosine that a hit of the vectors has to exceed. prefix: as one types.
    strict: quotes and ``-word`` are conditions, as in a search box; not in what is asked in a chat.
    """
    if limit < 1:
        return []
    asked = Asked(
        text=text,
        language=settings.ONE_SEARCH_LANGUAGE,
        vector=vector.vector,
        space_id=vector.space_id,
        text_search=text_search,
        prefix=prefix,
        strict=strict,
        threshold=threshold,
        candidates=max(CANDIDATES, 2 * limit),
    )
    with in_tenant(where.organisation.pk):
        hits = fuse(search_scope(_scope(where), asked), limit=4 * limit + CANDIDATES)
        entries = _entries(where.organisation, [hit.item_id for hit in hits])
    found = [Found(entries[hit.item_id], hit) for hit in hits if hit.item_id in entries]
    return found[:limit]


def _scope(where: Where) -> Scope:
    threads, values = named(where.threads.values("pk"), "t")
    values |= {
        "thread": where.thread_id,
        "kinds": list(where.kinds),
        "before_order": where.before_order,
    }
    before = (
        'AND NOT (s.thread_id = %(thread)s AND s."order" >= %(before_order)s)'
        if where.before_order is not None and where.thread_id is not None
        else ""
    )
    sql = f"""
        SELECT s.id AS item_id, s.tsv, 1.0::float AS weight FROM chat_app_searchentry s
        WHERE s.organisation_id = %(organisation)s AND s.kind = ANY(%(kinds)s)
            AND (NOT s.hidden OR s.thread_id = %(thread)s) {before}
            AND s.thread_id IN ({threads})
    """  # noqa: S608 - our own statement and one of the ORM, values apart
    return Scope(
        organisation_id=where.organisation.pk,
        sql=sql,
        values=values,
        vectors="chat_app_entryembedding",
    )


def named(rows: QuerySet[Any, Any], prefix: str) -> tuple[str, dict[str, Any]]:
    """A query of the ORM as SQL with named values, to be a part of a larger statement."""
    sql, values = rows.query.sql_with_params()
    names = [f"{prefix}{index}" for index in range(len(values))]
    return sql % tuple(f"%({name})s" for name in names), dict(zip(names, values, strict=True))


def _entries(organisation: Organisation, ids: Iterable[UUID]) -> dict[UUID, SearchEntry]:
    """The rows, without what is no answer to anybody any more: the index follows the messages in
    the same transaction, and this looks once more."""
    rows = SearchEntry.objects.filter(organisation=organisation, pk__in=list(ids)).select_related(
        "message", "edit", "thread"
    )
    return {entry.pk: entry for entry in rows if _is_present(entry)}


def _is_present(entry: SearchEntry) -> bool:
    message = entry.message
    if message is None:
        return True
    return message.status == MessageStatus.SUCCESS and message.superseded_by_id is None
