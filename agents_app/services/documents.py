"""Documents: added, brought up to date, renamed, stopped, tried again, deleted.

Whoever calls has made sure (``access_collection_to_edit``, ``access_document_to_edit``) that the
person may do so. What is added comes back as a version on its way; workers carry it on.
"""

import math
import unicodedata
from typing import IO, Any, Final
from uuid import UUID

from django.conf import settings

from agents_app.errors import DocumentNotFound, FileTooLarge, InvalidFields
from agents_app.knowledge.web_sources import clean_url, sitemap_urls
from agents_app.models import (
    Chunk,
    Collection,
    Document,
    DocumentSource,
    DocumentVersion,
    VersionStatus,
)
from agents_app.models.documents import TITLE_LIMIT
from agents_app.services.adding_documents import (
    Source,
    add_version,
    end_work,
    give_up,
    new_version,
    record_document,
    try_again,
)
from agents_app.services.document_files import forget_versions
from agents_app.services.document_versions import count_chunks, end_version, lock_collection
from agents_app.services.files import clean_filename, store_file
from agents_app.services.ingesting import POOL, rewrite_document
from one_project.accounts.models import User
from one_project.common.database import in_thread
from one_project.common.errors import AppError, Conflict, InvalidInput
from one_project.common.tenancy import in_tenant
from one_project.common.text import clean_line, clean_text
from one_project.workflows.definitions import step
from one_project.workflows.errors import NonRetryable
from one_project.workflows.models import WorkItem
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

FOLDER_LIMIT: Final = 500
SITEMAP_LIMIT: Final = 1_000  # pages of one expansion, whatever is asked for
MAX_IMPORTANCE: Final = 10.0


def add_upload(
    collection: Collection,
    *,
    user: User | None,
    file: IO[bytes] | Any,
    filename: str,
    folder: str = "",
) -> DocumentVersion:
    """A file: a new document, or a new version of the one of this folder and name.

    ``file`` is read once, in pieces, and closed by the caller. The same content again comes back
    as the version it is, with ``known`` in its ``meta``. Raises FileTooLarge, InvalidInput,
    CollectionNotFound.
    """
    _check_size(int(getattr(file, "size", None) or 0))
    name, place = clean_filename(filename), clean_folder(folder)
    stored = store_file(
        collection.organisation_id,
        file,
        filename=name,
        created_by=user,
        max_bytes=settings.ONE_KNOWLEDGE_MAX_BYTES,
    )
    _check_size(stored.size)
    source = Source(
        kind=DocumentSource.UPLOAD,
        key=unicodedata.normalize("NFC", f"{place}/{name}" if place else name),
        title=name,
        folder=place,
        file=stored,
    )
    return add_version(collection, user=user, source=source)


def add_text(
    collection: Collection, *, user: User | None, title: str, text: str
) -> DocumentVersion:
    """A text that somebody has pasted or written, as Markdown; the same title, a new version.

    Raises InvalidFields, FileTooLarge, InvalidInput, CollectionNotFound.
    """
    line, body = clean_line(title, TITLE_LIMIT), clean_text(text).strip()
    problems = {
        name: problem
        for name, value, problem in (
            ("title", line, "Please give the text a title."),
            ("text", body, "Please write or paste a text."),
        )
        if not value
    }
    if problems:
        raise InvalidFields(problems)
    data = body.encode()
    _check_size(len(data))
    stored = store_file(
        collection.organisation_id,
        data,
        filename=clean_filename(f"{line}.md"),
        created_by=user,
        max_bytes=settings.ONE_KNOWLEDGE_MAX_BYTES,
    )
    source = Source(
        kind=DocumentSource.TEXT,
        # No file is called so: cleaned folders have no empty parts.
        key=f"text://{unicodedata.normalize('NFC', line)}",
        title=line,
        file=stored,
    )
    return add_version(collection, user=user, source=source)


def add_page(collection: Collection, *, user: User | None, url: str) -> DocumentVersion:
    """A web page, or a file on the web; a worker fetches it. The same address is fetched again.

    Raises BadAddress, InvalidInput, CollectionNotFound.
    """
    address = clean_url(url)
    source = Source(kind=DocumentSource.WEB, key=address, title=address, url=address)
    return add_version(collection, user=user, source=source)


def add_sitemap(
    collection: Collection, *, user: User | None, url: str, limit: int = 200
) -> WorkItem:
    """Have a worker read the sitemap and add its pages, ``limit`` at most (SITEMAP_LIMIT).

    Raises BadAddress, InvalidInput for a limit below one.
    """
    address = clean_url(url)
    if limit < 1:
        raise InvalidInput("Please say how many pages to add.")
    with in_tenant(collection.organisation_id):
        return enqueue(
            expand_sitemap,
            collection.organisation_id,
            collection.pk,
            user.pk if user else None,
            address,
            min(limit, SITEMAP_LIMIT),
            organisation_id=collection.organisation_id,
        )


@step(
    name="agents_app.expand_sitemap",
    pool=POOL,
    timeout=1800.0,
    retry=Retry(attempts=3, initial=5.0, base=4.0),
)
async def expand_sitemap(
    organisation_id: UUID, collection_id: UUID, user_id: UUID | None, url: str, limit: int
) -> int:
    """Add the pages that a sitemap lists, of its own host; returns how many.

    Raises AppError for what may pass, NonRetryable for what does not.
    """
    try:
        pages = await sitemap_urls(url, limit)
        return await in_thread(_add_pages, organisation_id, collection_id, user_id, pages)
    except AppError as error:
        if error.retryable:
            raise
        # What people are told goes to the page that shows the work.
        raise NonRetryable(error.user_message) from error


def _add_pages(
    organisation_id: UUID, collection_id: UUID, user_id: UUID | None, pages: list[str]
) -> int:
    """Each in a transaction of its own: again after a crash finds those that are there."""
    user = User.objects.filter(pk=user_id).first() if user_id else None
    with in_tenant(organisation_id):
        collection = Collection.objects.filter(pk=collection_id).first()
    if collection is None:
        return 0
    for page in pages:
        add_page(collection, user=user, url=page)
    return len(pages)


def refresh_document(document: Document, *, user: User | None) -> DocumentVersion:
    """Fetch a web page again; nothing new ends the version as ``canceled`` (``unchanged``).

    Raises Conflict for documents of another source, DocumentNotFound.
    """
    with in_tenant(document.organisation_id):
        row = _held(document)
        if row.source != DocumentSource.WEB:
            raise Conflict("Only web pages can be fetched again.")
        give_up(row)
        return new_version(row, user=user, file=None)


def retry_version(version: DocumentVersion, *, user: User | None) -> DocumentVersion:
    """Try a failed or stopped version once more. Raises Conflict, DocumentNotFound."""
    with in_tenant(version.organisation_id):
        _held(Document(pk=version.document_id))
        return try_again(version, user=user)


def cancel_version(version: DocumentVersion, *, user: User | None) -> None:
    """Stop it, also in the middle of reading; the version before stays. Raises Conflict where it
    has ended already."""
    place = (version.organisation_id, version.pk)
    text = "This was stopped."
    if not end_version(*place, VersionStatus.CANCELED, code="stopped", text=text):
        raise Conflict("This has ended already.")
    # Apart from that: who records the end of work holds it, and then the document.
    with in_tenant(version.organisation_id):
        end_work(list(DocumentVersion.objects.filter(pk=version.pk)))


def delete_document(document: Document, *, user: User | None) -> None:
    """Delete it with every trace: versions, pages, passages, vectors and its files.

    Raises DocumentNotFound.
    """
    with in_tenant(document.organisation_id):
        lock_collection(document.collection_id)
        row = _held(document)
        passages = Chunk.objects.filter(document=row, version__status=VersionStatus.READY).count()
        record_document("document_removed", row, user)
        forget_versions(
            row.organisation_id,
            row.versions.all(),
            # The database deletes what hangs on it.
            lambda: Document.objects.filter(pk=row.pk)._raw_delete("default"),
        )
        count_chunks(row.collection_id, -passages)


def rename_document(document: Document, *, user: User | None, title: str) -> Document:
    """Give it another title, by which its passages are found, too. Raises InvalidFields,
    DocumentNotFound."""
    line = clean_line(title, TITLE_LIMIT)
    if not line:
        raise InvalidFields({"title": "Please give the document a title."})
    with in_tenant(document.organisation_id):
        row = _held(document)
        if row.title != line:
            row.title = line
            row.save(update_fields=["title", "updated_at"])
            place = row.organisation_id
            enqueue(rewrite_document, place, row.pk, organisation_id=place)
            record_document("document_renamed", row, user)
    return row


def set_importance(document: Document, *, user: User | None, importance: float) -> Document:
    """How much its passages count: 1 as usual, 0 never, 10 at most. Raises InvalidFields,
    DocumentNotFound."""
    if not math.isfinite(importance) or not 0 <= importance <= MAX_IMPORTANCE:
        raise InvalidFields({"importance": "Importance is a number from 0 to 10."})
    with in_tenant(document.organisation_id):
        row = _held(document)
        row.importance = importance
        row.save(update_fields=["importance", "updated_at"])
        record_document("document_changed", row, user)
    return row


def clean_folder(folder: str) -> str:
    """``a/b``: no empty parts, none that lead upwards, FOLDER_LIMIT characters at most."""
    parts = (clean_line(part, 120) for part in folder.replace("\\", "/").split("/"))
    return "/".join(part for part in parts if part.strip(". "))[:FOLDER_LIMIT].rstrip("/ ")


def _held(document: Document) -> Document:
    """The document as it is, held until the end of the transaction. Raises DocumentNotFound."""
    rows = Document.objects.select_for_update(of=("self",), no_key=True)
    row = rows.select_related("collection").filter(pk=document.pk).first()
    if row is None:
        raise DocumentNotFound
    return row


def _check_size(size: int) -> None:
    limit: int = settings.ONE_KNOWLEDGE_MAX_BYTES
    if size > limit:
        raise FileTooLarge(f"This file is too large: the limit is {limit / 1024**2:,.4g} MiB.")
