"""Looking things up in documents, for people, programs and the agents that work for them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final
from uuid import UUID

from django.db.models import Q

from agents_app.access import editable_collections
from agents_app.errors import DocumentNotFound
from agents_app.models import Agent, Chunk, Collection, Document, DocumentPage
from agents_app.models.documents import TITLE_LIMIT
from agents_app.search.chunks import Where, collections_for, find_chunks
from agents_app.search.fusion import Hit
from agents_app.search.query_vectors import QueryVector
from agents_app.services.documents import delete_document
from one_project.accounts.access import find_membership
from one_project.accounts.models import Organisation, User
from one_project.common.errors import AccessDenied, Conflict
from one_project.common.ids import parse_id
from one_project.common.tenancy import in_tenant
from one_project.common.text import clean_line

MAX_RESULTS: Final = 50
MAX_NEIGHBOURS: Final = 3
WORDS_ONLY: Final = QueryVector()


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A found piece of a document, and where it stands.

    relevance: the cosine, 0 to 1; the share of the words asked for where there are no vectors.
    source: an address, or folder and title. page: its number in the version; page_label: the one
    people see, None where there are no pages; char_start, char_end: places in that page's text.
    before, after: what stands around it, where that was asked for.
    """

    chunk_id: UUID
    document_id: UUID
    version_id: UUID
    version: int
    title: str
    heading: str
    text: str
    relevance: float
    source: str
    page: int
    page_label: int | None
    char_start: int
    char_end: int
    before: str = ""
    after: str = ""


def search_knowledge(
    organisation: Organisation,
    *,
    user: User | None,
    query: str,
    vector: QueryVector = WORDS_ONLY,
    limit: int = 5,
    agent: Agent | None = None,
    audience: Sequence[User] = (),
    collections: Sequence[UUID] | None = None,
    documents: Sequence[UUID] | None = None,
    media_type: str = "",
    created_after: datetime | None = None,
    neighbours: int = 0,
    importance: bool = True,
    text_search: bool = True,
    vector_search: bool = True,
    strict: bool = False,
) -> list[Passage]:
    """The best passages of what ``user`` and everybody in ``audience`` may read, best first.

    ``user`` None: a program asks, which sees what is there for everybody. agent: looks no further
    than it may itself. vector: of the query; words alone where it has none. neighbours: how many
    passages before and after each to read as well, 3 at most. See ``search.chunks.Where`` for the
    filters and ``strict``.
    """
    limit = min(limit, MAX_RESULTS)
    if limit < 1 or not query.strip():
        return []
    where = Where(
        organisation=organisation,
        user=user,
        audience=audience,
        agent=agent,
        collections=collections,
        documents=documents,
        media_type=media_type,
        created_after=created_after,
        importance=importance,
    )
    with in_tenant(organisation.pk):
        # Again where a newer version has taken the place of one that was found.
        for _ in range(2):
            hits = find_chunks(
                where,
                query,
                limit=limit,
                vector=vector if vector_search else WORDS_ONLY,
                text_search=text_search,
                strict=strict,
            )
            found = _passages(organisation, hits, max(0, min(neighbours, MAX_NEIGHBOURS)))
            if len(found) == len(hits):
                break
        return found


def _passages(organisation: Organisation, hits: Sequence[Hit], neighbours: int) -> list[Passage]:
    rows = Chunk.objects.filter(organisation=organisation, pk__in=[hit.item_id for hit in hits])
    chunks = {chunk.pk: chunk for chunk in rows.defer("tsv").select_related("document", "version")}
    labels = _labels(list(chunks.values()))
    around = _around(list(chunks.values()), neighbours) if neighbours else {}
    found = []
    for hit in hits:
        chunk = chunks.get(hit.item_id)
        if chunk is None:
            continue
        before, after = around.get(chunk.pk, ("", ""))
        found.append(
            Passage(
                chunk_id=chunk.pk,
                document_id=chunk.document_id,
                version_id=chunk.version_id,
                version=chunk.version.number,
                title=chunk.document.title,
                heading=chunk.heading,
                text=chunk.text,
                relevance=hit.relevance,
                source=_source(chunk.document),
                page=chunk.page,
                page_label=labels.get((chunk.version_id, chunk.page)),
                char_start=chunk.char_start,
                char_end=chunk.char_end,
                before=before,
                after=after,
            )
        )
    return found


def _source(document: Document) -> str:
    place = f"{document.folder}/{document.title}" if document.folder else document.title
    return document.source_url or place


def _labels(chunks: Sequence[Chunk]) -> dict[tuple[UUID, int], int | None]:
    wanted = Q(pk__in=[])
    for chunk in chunks:
        wanted |= Q(version=chunk.version_id, number=chunk.page)
    rows = DocumentPage.objects.filter(wanted).order_by().values_list("version", "number", "label")
    return {(version, number): label for version, number, label in rows}


def _around(chunks: Sequence[Chunk], count: int) -> dict[UUID, tuple[str, str]]:
    """The text before and after each, what two passages share only once."""
    wanted = Q(pk__in=[])
    for chunk in chunks:
        wanted |= Q(
            version=chunk.version_id, seq__gte=chunk.seq - count, seq__lte=chunk.seq + count
        )
    versions: dict[UUID, dict[int, Chunk]] = defaultdict(dict)
    for row in Chunk.objects.filter(wanted).defer("tsv"):
        versions[row.version_id][row.seq] = row
    found = {}
    for chunk in chunks:
        row_of = versions[chunk.version_id]
        run = [
            row_of[seq] for seq in range(chunk.seq - count, chunk.seq + count + 1) if seq in row_of
        ]
        place = next((index for index, row in enumerate(run) if row.pk == chunk.pk), None)
        if place is None:
            continue  # a newer version has come this moment
        before = [_until(row, following) for row, following in pairwise(run[: place + 1])]
        after = [_from(row, previous) for previous, row in pairwise(run[place:])]
        found[chunk.pk] = ("\n".join(filter(None, before)), "\n".join(filter(None, after)))
    return found


def _until(chunk: Chunk, following: Chunk) -> str:
    shared = chunk.char_end - following.char_start if chunk.page == following.page else 0
    return chunk.text[: len(chunk.text) - max(shared, 0)]


def _from(chunk: Chunk, previous: Chunk) -> str:
    shared = previous.char_end - chunk.char_start if chunk.page == previous.page else 0
    return chunk.text[max(shared, 0) :]


def remove_document(
    organisation: Organisation, *, user: User | None, named: str, agent: Agent | None = None
) -> str:
    """Delete the document of this id or whole title with every trace; returns its title.

    People delete in collections they may change, programs (``user`` None) nothing; ``agent`` only
    where it may look. Raises
    DocumentNotFound when there is none that the person may read, Conflict when several have the
    title, AccessDenied where it may be read only.
    """
    wanted, title = parse_id(named.strip()), clean_line(named, TITLE_LIMIT)
    by_name = Q(pk=wanted) if wanted else Q(title__iexact=title)
    if user is None or find_membership(user, organisation.pk) is None:
        raise DocumentNotFound
    with in_tenant(organisation.pk):
        collections = collections_for(Collection.objects.all(), agent)
        rows = Document.objects.filter(
            by_name, organisation=organisation, collection__in=collections
        )
        editable = rows.filter(collection__in=editable_collections(user, organisation))
        found = list(editable.order_by("pk")[:2])
        if not found and rows.readable_by(user, organisation).exists():
            raise AccessDenied("Only who may change its collection can delete this document.")
    if not found:
        raise DocumentNotFound("There is no document of this title.")
    if len(found) > 1:
        raise Conflict("Several documents have this title; please say the id, or use the page.")
    document = found[0]
    delete_document(document, user=user)
    return document.title
