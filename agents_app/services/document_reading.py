"""What the pages show of documents. Reads; whoever may see a collection is its caller's question
(``access_collection``, ``access_document``), but for the list of all, which asks itself."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from agents_app.access import editable_collections, readable_collections
from agents_app.errors import DocumentNotFound
from agents_app.models import (
    OPEN_VERSIONS,
    Collection,
    Document,
    DocumentPage,
    DocumentVersion,
    VersionStatus,
)
from one_project.accounts.models import Organisation, User
from one_project.common.ids import parse_id
from one_project.common.tenancy import in_tenant
from one_project.common.text import clean_line

PAGE_SIZE: Final = 30
MOST: Final = 100
FOLDERS: Final = 500
JUST: Final = timedelta(minutes=1)
ON_ITS_WAY: Final = 50
_STAGES: Final = {
    VersionStatus.QUEUED: "Waiting",
    VersionStatus.PARSING: "Reading",
    VersionStatus.CHUNKING: "Cutting",
    VersionStatus.EMBEDDING: "Learning its meaning",
    VersionStatus.READY: "Ready",
    VersionStatus.FAILED: "Failed",
    VersionStatus.CANCELED: "Stopped",
    VersionStatus.REPLACED: "Replaced",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRow:
    """on_the_way, failed: documents by their newest version."""

    collection: Collection
    documents: int
    on_the_way: int
    failed: int
    may_edit: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """newest: the version that came last; ``document.current`` is the one that is searched."""

    document: Document
    newest: DocumentVersion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentList:
    """next_cursor: for the rows after these; None where there are none. folders: all there are."""

    rows: list[DocumentRow]
    next_cursor: str | None
    folders: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """stage: in words for people. done of total, of pages or passages; total 0: not known."""

    version: DocumentVersion
    document: Document
    stage: str
    done: int
    total: int
    is_open: bool

    @property
    def percent(self) -> int | None:
        """Of this stage; None where it cannot be told."""
        return 100 * min(self.done, self.total) // self.total if self.total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageText:
    """A page; ``previous`` and ``next`` are numbers of its neighbours, ``count`` is of all."""

    version: DocumentVersion
    number: int
    label: int | None
    text: str
    previous: int | None
    next: int | None
    count: int


def list_collections(user: User, organisation: Organisation) -> list[CollectionRow]:
    """All the person may read or change, by name, their personal one first."""
    with in_tenant(organisation.pk):
        found = list(readable_collections(user, organisation).order_by("name", "pk"))
        editable = set(editable_collections(user, organisation).values_list("pk", flat=True))
        counts = _counts(found)
    found.sort(key=lambda one: one.personal_of_id != user.pk)
    rows = []
    for one in found:
        one.organisation = organisation
        states = counts.get(one.pk, Counter())
        rows.append(
            CollectionRow(
                collection=one,
                documents=states.total(),
                on_the_way=sum(states[status] for status in OPEN_VERSIONS),
                failed=states[VersionStatus.FAILED],
                may_edit=one.pk in editable,
            )
        )
    return rows


def _counts(collections: list[Collection]) -> dict[UUID, Counter[str]]:
    newest = DocumentVersion.objects.filter(document=OuterRef("pk")).order_by("-number")
    rows = (
        Document.objects.filter(collection__in=collections)
        .annotate(state=Subquery(newest.values("status")[:1]))
        .values("collection_id", "state")
        .annotate(found=Count("pk"))
    )
    counts: dict[UUID, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row["collection_id"], Counter())[row["state"] or ""] += row["found"]
    return counts


def list_documents(
    user: User,
    organisation: Organisation,
    collection: Collection,
    *,
    query: str = "",
    folder: str = "",
    cursor: str | None = None,
    page_size: int = PAGE_SIZE,
) -> DocumentList:
    """Documents of a collection by title. ``query``: part of it; ``folder``: with those below."""
    size = max(1, min(page_size, MOST))
    rows = Document.objects.filter(organisation=organisation, collection=collection)
    all_folders = rows.exclude(folder="").order_by("folder").values_list("folder", flat=True)
    if wanted := clean_line(query, 200):
        rows = rows.filter(title__icontains=wanted)
    if folder:
        rows = rows.filter(Q(folder=folder) | Q(folder__startswith=f"{folder}/"))
    if after := _read_cursor(cursor):
        title, key = after
        rows = rows.filter(Q(title__gt=title) | Q(title=title, pk__gt=key))
    with in_tenant(organisation.pk):
        found = list(rows.select_related("current").order_by("title", "pk")[: size + 1])
        newest = _newest(found)
        folders = list(all_folders.distinct()[:FOLDERS])
    shown = found[:size]
    for document in shown:
        document.organisation, document.collection = organisation, collection
    return DocumentList(
        rows=[DocumentRow(document=one, newest=newest.get(one.pk)) for one in shown],
        next_cursor=_cursor_after(shown[-1]) if len(found) > size else None,
        folders=folders,
    )


def _newest(documents: list[Document]) -> dict[UUID, DocumentVersion]:
    rows = DocumentVersion.objects.filter(document__in=documents)
    last = rows.order_by("document_id", "-number").distinct("document_id")
    return {version.document_id: version for version in last}


def versions_of(document: Document) -> list[DocumentVersion]:
    """All there have been, the newest first."""
    with in_tenant(document.organisation_id):
        found = list(document.versions.select_related("created_by", "file").order_by("-number"))
    for version in found:
        version.document = document
    return found


def document_progress(
    user: User, organisation: Organisation, collection: Collection
) -> list[Progress]:
    """What is on its way in a collection, and what has ended within the last minute."""
    since = timezone.now() - JUST
    rows = DocumentVersion.objects.filter(
        Q(status__in=OPEN_VERSIONS) | Q(finished_at__gte=since),
        organisation=organisation,
        document__collection=collection,
    )
    rows = rows.exclude(status=VersionStatus.REPLACED).select_related("document")
    with in_tenant(organisation.pk):
        found = list(rows.order_by(F("finished_at").desc(nulls_first=True), "pk")[:ON_ITS_WAY])
    for version in found:
        version.document.organisation, version.document.collection = organisation, collection
    return [progress_of(version) for version in found]


def progress_of(version: DocumentVersion) -> Progress:
    """How far one version has got; its document has been read with it."""
    done, total = 0, 0
    if version.status == VersionStatus.PARSING:
        done, total = version.pages_done, version.pages_total or 0
    elif version.status == VersionStatus.EMBEDDING:
        done, total = version.chunks_done, version.chunks_total or 0
    return Progress(
        version=version,
        document=version.document,
        stage=_STAGES[VersionStatus(version.status)],
        done=done,
        total=total,
        is_open=version.is_open,
    )


def read_pages(
    document: Document, version_number: int | None = None, page: int | None = None
) -> PageText:
    """One page of a version: of the current one, and the first, unless said otherwise.

    Raises DocumentNotFound where there is no such version or page, or its text is not kept.
    """
    with in_tenant(document.organisation_id):
        versions = document.versions.filter(status=VersionStatus.READY)
        if version_number is not None:
            versions = document.versions.filter(number=version_number)
        version = versions.first()
        if version is None:
            raise DocumentNotFound
        pages = DocumentPage.objects.filter(version=version)
        wanted = pages if page is None else pages.filter(number=page)
        found = wanted.order_by("number").first()
        if found is None:
            raise DocumentNotFound
        before = _number(pages.filter(number__lt=found.number).order_by("-number"))
        after = _number(pages.filter(number__gt=found.number).order_by("number"))
        count = pages.count()
    version.document = document
    return PageText(
        version=version,
        number=found.number,
        label=found.label,
        text=found.text,
        previous=before,
        next=after,
        count=count,
    )


def _number(pages: QuerySet[DocumentPage]) -> int | None:
    return pages.values_list("number", flat=True).first()


def _cursor_after(document: Document) -> str:
    return urlsafe_b64encode(orjson.dumps([document.title, str(document.pk)])).decode()


def _read_cursor(cursor: str | None) -> tuple[str, UUID] | None:
    """None also for what is none: a hand-made one begins at the beginning."""
    try:
        value: Any = orjson.loads(urlsafe_b64decode((cursor or "").encode()))
        title, key = value
    except (ValueError, TypeError):
        return None
    parsed = parse_id(key)
    if not isinstance(title, str) or parsed is None or "\x00" in title:
        return None
    return title, parsed
