"""The search over passages of documents: what may be looked into, and what is found there.

Rights are a part of every statement, before anything is ranked: what the person may read, and all
who read along, and the agent. Only the current version of a document is searched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum

from agents_app.models import Agent, Collection, Knowledge
from agents_app.search import large
from agents_app.search.fusion import CANDIDATES, Candidate, Hit, fuse
from agents_app.search.large import Rows, search_large
from agents_app.search.legs import Asked, search_scope
from agents_app.search.query_vectors import QueryVector
from one_project.accounts.models import Organisation, User

# Of so few documents each passage is looked at, however large the collection is.
FEW_DOCUMENTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where to look, and for whom.

    user: None for a program. audience: all others who will read what is found. agent: the one that
    looks. collections, documents: ids of the only ones to look into. media_type: of the file, or
    the part before its slash. importance: whether that of a document
    counts, of which 0 means never.
    """

    organisation: Organisation
    user: User | None = None
    audience: Sequence[User] = ()
    agent: Agent | None = None
    collections: Sequence[UUID] | None = None
    documents: Sequence[UUID] | None = None
    media_type: str = ""
    created_after: datetime | None = None
    importance: bool = True


def searched_collections(where: Where) -> QuerySet[Collection]:
    """All that may be looked into: what everybody concerned may read."""
    organisation = where.organisation
    found: QuerySet[Collection] = Collection.objects.readable_by(where.user, organisation)
    for person in where.audience:
        theirs = Collection.objects.readable_by(person, organisation)
        found = found.filter(pk__in=theirs.values("pk"))
    found = collections_for(found, where.agent)
    if where.collections is not None:
        found = found.filter(pk__in=list(where.collections))
    return found


def collections_for(found: QuerySet[Collection], agent: Agent | None) -> QuerySet[Collection]:
    """Those of them that the agent itself may look into; all without one."""
    if agent is not None and agent.knowledge == Knowledge.NONE:
        return found.none()
    if agent is not None and agent.knowledge == Knowledge.GRANTED:
        granted = agent.collections.through.objects.filter(agent=agent.pk)
        return found.filter(pk__in=granted.values("collection_id"))
    return found


def find_chunks(
    where: Where,
    text: str,
    *,
    limit: int,
    vector: QueryVector,
    text_search: bool = True,
    strict: bool = False,
) -> list[Hit]:
    """The best ``limit`` passages, best first; call it within ``in_tenant``.

    strict: quoted phrases and ``-word`` are conditions, as in a search box.
    """
    collections = searched_collections(where)
    # Words are those of a language: one statement for each there is, mostly one.
    languages = dict(
        collections.order_by().values_list("language").annotate(passages=Sum("chunk_count"))
    )
    asked = Asked(
        text=text,
        vector=vector.vector,
        space_id=vector.space_id,
        text_search=text_search,
        strict=strict,
        candidates=max(CANDIDATES, 2 * limit),
    )
    lists = [
        _search(
            _rows(where, collections.filter(language=language), passages),
            replace(asked, language=language),
            is_large=passages > large.LARGE and not _is_few(where.documents),
        )
        for language, passages in sorted(languages.items())
    ]
    return fuse(_merged(lists), limit)


def _search(rows: Rows, asked: Asked, *, is_large: bool) -> list[Candidate]:
    return search_large(rows, asked) if is_large else search_scope(rows.scope(), asked)


def _is_few(documents: Sequence[UUID] | None) -> bool:
    return documents is not None and len(documents) <= FEW_DOCUMENTS


def _rows(where: Where, collections: QuerySet[Collection], total: int) -> Rows:
    allowed, values = _as_sql(collections.values("pk"))
    tables = (
        "agents_app_document d JOIN agents_app_chunk c ON c.organisation_id = d.organisation_id"
        " AND c.version_id = d.current_id"
    )
    conditions = [f"d.organisation_id = %(organisation)s AND d.collection_id IN ({allowed})"]
    values["organisation"] = where.organisation.pk
    if where.importance:
        conditions.append("d.importance > 0")
    if where.documents is not None:
        conditions.append("d.id = ANY(%(documents)s)")
        values["documents"] = list(where.documents)
    if where.created_after is not None:
        conditions.append("d.created_at >= %(created_after)s")
        values["created_after"] = where.created_after
    if where.media_type:
        tables += " JOIN agents_app_documentversion v ON v.id = d.current_id"
        conditions.append(
            "(v.media_type = %(media_type)s OR split_part(v.media_type, '/', 1) = %(media_type)s)"
        )
        values["media_type"] = where.media_type
    return Rows(
        organisation_id=where.organisation.pk,
        tables=tables,
        where=" AND ".join(conditions),
        values=values,
        weight="d.importance::float" if where.importance else "1.0::float",
        total=total,
    )


def _as_sql(rows: QuerySet[Any, Any]) -> tuple[str, dict[str, Any]]:
    """A query of the ORM as SQL with named values, to be a part of a larger statement."""
    sql, values = rows.order_by().query.sql_with_params()
    names = [f"allowed{index}" for index in range(len(values))]
    return sql % tuple(f"%({name})s" for name in names), dict(zip(names, values, strict=True))


def _merged(lists: Sequence[list[Candidate]]) -> list[Candidate]:
    """Candidates of several languages as one list: vectors by their distance, words in turn."""
    if len(lists) == 1:
        return lists[0]
    every = [one for candidates in lists for one in candidates]
    by_vector = sorted(
        (one for one in every if one.vector_rank is not None),
        key=lambda one: -(one.similarity or 0.0),
    )
    by_words = sorted(
        (one for one in every if one.text_rank is not None),
        key=lambda one: (one.text_rank, -one.coverage),
    )
    vector_ranks = {one.item_id: rank for rank, one in enumerate(by_vector)}
    text_ranks = {one.item_id: rank for rank, one in enumerate(by_words)}
    return [
        replace(
            one,
            vector_rank=vector_ranks.get(one.item_id),
            text_rank=text_ranks.get(one.item_id),
        )
        for one in every
    ]
