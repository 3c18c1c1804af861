"""The stages of a version of a document, each one transaction that happens once.

Whoever changes one holds, in this order, its collection (only where passages are counted), its
document and itself. A stage that finds the version elsewhere changes nothing and returns None: it
was canceled, or another worker has been faster.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from agents_app.knowledge.chunking import chunk
from agents_app.knowledge.failures import TEXTS
from agents_app.knowledge.parsed import Heading, ParsedDocument, ParsedPage
from agents_app.models import (
    OPEN_VERSIONS,
    Chunk,
    Collection,
    Document,
    DocumentPage,
    DocumentSource,
    DocumentVersion,
    StoredFile,
    VersionStatus,
)
from agents_app.models.documents import TITLE_LIMIT
from agents_app.search.chunk_texts import (
    NOT_BY_MEANING,
    OWED,
    count_embedded,
    remove_chunks,
    write_chunks,
)
from agents_app.services.document_files import let_go_files
from agents_app.services.files import use_files
from one_project.common.tenancy import in_tenant
from one_project.common.text import clean_line

# Versions of a document whose pages are kept for citations, the current one included.
KEPT_PAGES: Final = 5
PAGES_A_STATEMENT: Final = 500
UNCHANGED: Final = "unchanged"
SUPERSEDED: Final = "superseded"


def begin_version(organisation_id: UUID, version_id: UUID, work_id: UUID) -> DocumentVersion | None:
    """The version, for the work that carries it on; ``queued`` has become ``parsing``."""
    with in_tenant(organisation_id):
        version = _locked(organisation_id, version_id, OPEN_VERSIONS)
        if version is None or version.work_id != work_id:
            return None
        if version.status == VersionStatus.QUEUED:
            is_read = version.file_id is None and version.pages.exists()
            _move(version, VersionStatus.CHUNKING if is_read else VersionStatus.PARSING)
        return version


def keep_fetched(
    organisation_id: UUID, version_id: UUID, file: StoredFile
) -> DocumentVersion | None:
    """A web page has arrived. The same as before ends the version: nothing has changed."""
    with in_tenant(organisation_id):
        version = _locked(organisation_id, version_id, [VersionStatus.PARSING])
        if version is None:
            return None
        current = version.document.current
        if current is not None and current.sha256 == file.sha256:
            # Of fetches that found nothing new, the last one is enough.
            version.document.versions.filter(error_code=UNCHANGED).delete()
            _end(version, VersionStatus.CANCELED, UNCHANGED, "The page has not changed.")
            return None
        use_files(organisation_id, [file.pk])
        version.file, version.sha256, version.size = file, file.sha256, file.size
        version.save(update_fields=["file", "sha256", "size", "updated_at"])
        return version


def tell_pages(organisation_id: UUID, version_id: UUID, done: int, total: int) -> None:
    """Progress of reading, for those who watch."""
    with in_tenant(organisation_id):
        rows = DocumentVersion.objects.filter(
            organisation_id=organisation_id, pk=version_id, status=VersionStatus.PARSING
        )
        rows.update(pages_done=done, pages_total=total, updated_at=timezone.now())


def keep_pages(
    organisation_id: UUID, version_id: UUID, parsed: ParsedDocument
) -> DocumentVersion | None:
    """Store what was read; ``parsing`` has become ``chunking``."""
    with in_tenant(organisation_id):
        version = _locked(organisation_id, version_id, [VersionStatus.PARSING])
        if version is None:
            return None
        DocumentPage.objects.filter(version=version)._raw_delete("default")
        pages = [
            DocumentPage(
                organisation_id=organisation_id,
                version=version,
                number=number,
                label=page.number,
                text=page.text,
                meta={"headings": [list(one) for one in page.headings]} if page.headings else {},
            )
            for number, page in enumerate(parsed.pages, 1)
        ]
        DocumentPage.objects.bulk_create(pages, batch_size=PAGES_A_STATEMENT)
        version.media_type = parsed.media_type
        version.warnings = list(parsed.warnings)
        version.pages_done = version.pages_total = len(pages)
        _name_web_page(version.document, parsed.title)
        _move(version, VersionStatus.CHUNKING)
        return version


def _name_web_page(document: Document, title: str) -> None:
    """A web page is called by its address until it has told its title."""
    found = clean_line(title, TITLE_LIMIT)
    is_unnamed = document.title == document.source_url[:TITLE_LIMIT]
    if document.source == DocumentSource.WEB and is_unnamed and found:
        document.title = found
        document.save(update_fields=["title", "updated_at"])


def cut_version(organisation_id: UUID, version_id: UUID) -> DocumentVersion | None:
    """Cut the pages into passages; ``chunking`` has become ``embedding``."""
    with in_tenant(organisation_id):
        version = _locked(organisation_id, version_id, [VersionStatus.CHUNKING])
        if version is None:
            return None
        rows = list(version.pages.order_by("number"))
        pages = tuple(ParsedPage(row.label, row.text, _headings(row)) for row in rows)
        document = version.document
        chunks = chunk(ParsedDocument(document.title, version.media_type, pages))
        if not chunks:
            _end(version, VersionStatus.FAILED, "no_text", TEXTS["no_text"])
            return None
        write_chunks(
            version,
            title=document.title,
            language=document.collection.language,
            chunks=chunks,
            numbers={row.label: row.number for row in rows},
        )
        version.pages_done = version.pages_total = len(rows)
        version.chunks_total, version.chunks_done = len(chunks), 0
        _move(version, VersionStatus.EMBEDDING)
        return version


def _headings(page: DocumentPage) -> tuple[Heading, ...]:
    found = page.meta.get("headings", ())
    return tuple(Heading(int(offset), int(level), str(text)) for offset, level, text in found)


def finish_version(
    organisation_id: UUID, version_id: UUID, *, owes_vectors: bool = False
) -> DocumentVersion | None:
    """Put it in the place of the one before, in one go; that one's passages and file go.

    ``owes_vectors``: it is found by its words only, for now.
    """
    with in_tenant(organisation_id):
        version = _locked(organisation_id, version_id, [VersionStatus.EMBEDDING], counts=True)
        if version is None:
            return None
        document, old = version.document, version.document.current
        before = Chunk.objects.filter(version=old).count() if old else 0
        now = Chunk.objects.filter(version=version).count()
        remove_chunks(document, but=version)
        if owes_vectors:
            version.warnings = [*version.warnings, NOT_BY_MEANING]
            version.meta = {**version.meta, OWED: True}
        version.chunks_done = count_embedded(organisation_id, version_id)
        version.finished_at, version.error, version.error_code = timezone.now(), "", ""
        _move(version, VersionStatus.READY)
        document.current = version
        document.save(update_fields=["current", "updated_at"])
        count_chunks(document.collection_id, now - before)
        _retire(document, version)
        return version


def count_chunks(collection_id: UUID, change: int) -> None:
    """Keep the number by which the collection is searched."""
    Collection.objects.filter(pk=collection_id).update(chunk_count=F("chunk_count") + change)


def _retire(document: Document, newest: DocumentVersion) -> None:
    """Versions before ``newest`` need no file any more, the oldest no pages."""
    older = document.versions.filter(number__lt=newest.number)
    held = list(older.exclude(file=None).values_list("file_id", "created_by_id"))
    older.filter(status=VersionStatus.READY).update(status=VersionStatus.REPLACED)
    older.update(file=None)
    files = [file for file, _ in held if file]
    let_go_files(document.organisation_id, files, {person for _, person in held if person})
    read = document.versions.filter(status__in=[VersionStatus.READY, VersionStatus.REPLACED])
    kept = list(read.order_by("-number").values_list("pk", flat=True)[:KEPT_PAGES])
    pages = DocumentPage.objects.filter(version__document=document)
    gone = document.versions.exclude(pk__in=kept).filter(number__lt=newest.number)
    pages.filter(version__in=gone)._raw_delete("default")


def end_version(
    organisation_id: UUID,
    version_id: UUID,
    status: str,
    *,
    code: str = "",
    text: str = "",
    work_id: UUID | None = None,
) -> bool:
    """End one that is on its way as ``failed`` or ``canceled``; False where it has ended.

    ``work_id``: only while this work carries it on.
    """
    with in_tenant(organisation_id):
        version = _locked(organisation_id, version_id, OPEN_VERSIONS)
        if version is None or (work_id is not None and version.work_id != work_id):
            return False
        _end(version, status, code, text)
        return True


def vectors_are_paid(organisation_id: UUID, version_id: UUID) -> None:
    """It is found by its meaning as well, at last; where vectors are missing still, nothing."""
    place = (organisation_id, version_id)
    with in_tenant(organisation_id):
        version = _locked(*place, [VersionStatus.READY])
        if version is None or count_embedded(*place) < (version.chunks_total or 0):
            return
        version.meta = {key: value for key, value in version.meta.items() if key != OWED}
        version.warnings = [text for text in version.warnings if text != NOT_BY_MEANING]
        version.chunks_done = version.chunks_total or 0
        version.save(update_fields=["meta", "warnings", "chunks_done", "updated_at"])


def is_carried_on(organisation_id: UUID, version_id: UUID, status: str) -> bool:
    """Whether the version still stands there."""
    with in_tenant(organisation_id):
        rows = DocumentVersion.objects.filter(organisation_id=organisation_id, pk=version_id)
        return rows.filter(status=status).exists()


def _locked(
    organisation_id: UUID, version_id: UUID, statuses: Iterable[str], *, counts: bool = False
) -> DocumentVersion | None:
    """The version with its document and collection, held until the end of the transaction."""
    place = (
        DocumentVersion.objects.filter(organisation_id=organisation_id, pk=version_id)
        .values_list("document_id", "document__collection_id")
        .first()
    )
    if place is None:
        return None
    if counts:
        lock_collection(place[1])
    documents = Document.objects.select_for_update(of=("self",), no_key=True)
    document = documents.select_related("collection", "current").filter(pk=place[0]).first()
    versions = DocumentVersion.objects.select_for_update(of=("self",), no_key=True)
    version = versions.select_related("file").filter(pk=version_id).first()
    if document is None or version is None or version.status not in statuses:
        return None
    version.document = document
    return version


def lock_collection(collection_id: UUID) -> Collection | None:
    """Hold it until the end of the transaction; None where it is gone."""
    rows = Collection.objects.select_for_update(no_key=True)
    return rows.filter(pk=collection_id).first()


def _move(version: DocumentVersion, status: str) -> None:
    version.status = VersionStatus(status)
    version.save()


def _end(version: DocumentVersion, status: str, code: str, text: str) -> None:
    version.error, version.error_code, version.finished_at = text, code, timezone.now()
    Chunk.objects.filter(version=version)._raw_delete("default")
    # Without a file to read again, its pages are all there is.
    if version.file_id is not None:
        DocumentPage.objects.filter(version=version)._raw_delete("default")
    _move(version, status)


def supersede(versions: Sequence[DocumentVersion]) -> None:
    """A newer one has come; the caller holds their document and stops their work."""
    for version in versions:
        _end(version, VersionStatus.CANCELED, SUPERSEDED, "A newer version has come.")
