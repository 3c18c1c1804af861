"""A new version of a document, or of a new one: one door for files, texts and web pages."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from django.conf import settings
from django.db.models import Max, Q

from agents_app.errors import CollectionNotFound
from agents_app.models import (
    OPEN_VERSIONS,
    Collection,
    Document,
    DocumentPage,
    DocumentVersion,
    StoredFile,
    VersionStatus,
)
from agents_app.models.documents import TITLE_LIMIT
from agents_app.services.document_versions import lock_collection, supersede
from agents_app.services.files import use_files
from agents_app.services.ingesting import start_version
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.tenancy import in_tenant
from one_project.common.text import clean_line
from one_project.workflows.models import WorkItem
from one_project.workflows.services.work import cancel_work

# Bytes of a key; the index takes no more than 2,704 of a row.
KEY_BYTES: Final = 2_000
# In ``meta`` of a version that is handed back because it has the same content; never stored.
KNOWN: Final = "known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a version comes from. key: what makes it one of the same document."""

    kind: str
    key: str
    title: str
    url: str = ""
    folder: str = ""
    file: StoredFile | None = None


def add_version(collection: Collection, *, user: User | None, source: Source) -> DocumentVersion:
    """Begin a version of the document of this key; the document is made where there is none.

    Content that is current or on its way costs nothing: that version comes back, with KNOWN in
    its ``meta``. Another one on its way is given up. Raises CollectionNotFound, InvalidInput for
    a full collection.
    """
    with in_tenant(collection.organisation_id):
        held = lock_collection(collection.pk)
        if held is None:
            raise CollectionNotFound
        documents = Document.objects.select_for_update(of=("self",), no_key=True)
        document = documents.filter(collection=held, key=_key(source)).first()
        if document is None:
            document = _new_document(held, user, source)
        elif (known := _known(document, source.file)) is not None:
            give_up(document, but=known)
            known.meta = {**known.meta, KNOWN: True}
            return known
        give_up(document)
        return new_version(document, user=user, file=source.file)


def _new_document(collection: Collection, user: User | None, source: Source) -> Document:
    limit: int = settings.ONE_KNOWLEDGE_MAX_DOCUMENTS
    if Document.objects.filter(collection=collection).count() >= limit:
        raise InvalidInput(f"A collection holds at most {limit:,} documents. Please begin another.")
    document = Document.objects.create(
        organisation_id=collection.organisation_id,
        collection=collection,
        title=clean_line(source.title, TITLE_LIMIT) or "Untitled",
        source=source.kind,
        source_url=source.url,
        folder=source.folder,
        key=_key(source),
        created_by=user,
    )
    record_document("document_added", document, user)
    return document


def _key(source: Source) -> str:
    """As it is stored: of a very long one its hash."""
    told = source.key.encode()
    return source.key if len(told) <= KEY_BYTES else f"sha256://{sha256(told).hexdigest()}"


def _known(document: Document, file: StoredFile | None) -> DocumentVersion | None:
    """The version of this content. Of a web page what counts is known once it has been fetched."""
    if file is None:
        versions = document.versions.open()
    else:
        current = [document.current_id] if document.current_id else []
        is_live = Q(status__in=OPEN_VERSIONS) | Q(pk__in=current)
        versions = document.versions.filter(is_live, sha256=file.sha256)
    return versions.select_related("document").order_by("-number").first()


def new_version(
    document: Document, *, user: User | None, file: StoredFile | None
) -> DocumentVersion:
    """The next one, on its way; the caller holds the document."""
    last = document.versions.aggregate(last=Max("number"))["last"] or 0
    version = DocumentVersion.objects.create(
        organisation_id=document.organisation_id,
        document=document,
        number=last + 1,
        file=file,
        sha256=file.sha256 if file else "",
        size=file.size if file else 0,
        media_type=file.media_type if file else "",
        created_by=user,
    )
    if file is not None:
        use_files(document.organisation_id, [file.pk])
    start_version(version)
    return version


def give_up(document: Document, *, but: DocumentVersion | None = None) -> None:
    """End what is on its way: something newer has come. The caller holds the document."""
    rows = document.versions.open().select_for_update(of=("self",), no_key=True)
    found = [version for version in rows.order_by("number") if version != but]
    supersede(found)
    end_work(found)


def end_work(versions: list[DocumentVersion]) -> None:
    """Stop the work on versions that have ended, also where it runs."""
    works = [version.work_id for version in versions if version.work_id]
    for item in WorkItem.objects.filter(pk__in=works).open():
        cancel_work(item)


def try_again(version: DocumentVersion, *, user: User | None) -> DocumentVersion:
    """Begin a version anew that has failed or was stopped; the caller holds its document.

    Raises Conflict where a newer one has come, or where it has not ended so.
    """
    newer = DocumentVersion.objects.filter(
        document_id=version.document_id, number__gt=version.number
    )
    held = DocumentVersion.objects.select_for_update(of=("self",), no_key=True)
    row = held.filter(pk=version.pk).first()
    ended = (VersionStatus.FAILED, VersionStatus.CANCELED)
    if row is None or row.status not in ended:
        raise Conflict("This is on its way or done already.")
    if newer.exists():
        raise Conflict("A newer version of this document has come.")
    is_read = DocumentPage.objects.filter(version=row).exists()
    row.status, row.finished_at = VersionStatus.QUEUED, None
    row.error, row.error_code, row.warnings = "", "", []
    row.pages_total, row.pages_done = (row.pages_total, row.pages_done) if is_read else (None, 0)
    row.chunks_total, row.chunks_done = None, 0
    row.save()
    start_version(row)
    return row


def record_document(kind: str, document: Document, user: User | None) -> None:
    """Append to the organisation's log what has become of a document."""
    record_event(
        document.collection.organisation, kind, actor=user, target=f"document:{document.pk}"
    )
