"""Documents on their way: read, cut, embedded and swapped in, by workers.

One piece of work carries one version. A worker that is lost costs the stage it was in: what is
done is in the row. What cannot be read ends there with its reason; a model that is away ends
nothing, the document is found by its words meanwhile.
"""

import asyncio
import logging
import shutil
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from agents_app.errors import DocumentNotFound
from agents_app.knowledge.bounds import ParseLimits
from agents_app.knowledge.parsed import ParsedDocument
from agents_app.knowledge.sandbox import parse_in_sandbox
from agents_app.knowledge.web_sources import fetch_page
from agents_app.models import Document, DocumentSource, DocumentVersion, StoredFile, VersionStatus
from agents_app.providers.errors import ModelError
from agents_app.providers.registry import resolve_embedding_model
from agents_app.search.chunk_texts import CHUNKS, chunk_ids, rewrite_chunks
from agents_app.services.document_versions import (
    begin_version,
    cut_version,
    end_version,
    finish_version,
    is_carried_on,
    keep_fetched,
    keep_pages,
    tell_pages,
    vectors_are_paid,
)
from agents_app.services.embedding import MOST_IDS, embed_items, request_embedding
from agents_app.services.files import open_file, store_file
from one_project.accounts.models import Organisation
from one_project.common.crash_points import crash_point
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.common.tenancy import in_tenant
from one_project.workflows.current import current_work
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Result, Retry

POOL: Final = declare_pool("knowledge", 2)
TELL_EVERY: Final = 0.5  # seconds between two looks at the progress of reading
# Attempts after which a model or a site that does not answer is given up for now.
PATIENCE: Final = 3
FORGOTTEN: Final = timedelta(minutes=5)
GAVE_UP: Final = "This document could not be worked through. Please try again."

logger = logging.getLogger(__name__)


def start_version(version: DocumentVersion) -> None:
    """Have a worker carry it on, in the caller's transaction."""
    place = (version.organisation_id, version.pk)
    version.work = enqueue(
        ingest_version,
        *place,
        organisation_id=version.organisation_id,
        on_complete=version_over,
        context={"organisation": str(place[0]), "version": str(place[1])},
    )
    version.save(update_fields=["work", "updated_at"])


@step(
    name="agents_app.ingest_version",
    pool=POOL,
    timeout=6 * 3600.0,
    retry=Retry(attempts=5, initial=2.0, base=4.0),
)
async def ingest_version(organisation_id: UUID, version_id: UUID) -> None:
    """Carry a version from where it stands to its end."""
    place = (organisation_id, version_id)
    version = await in_thread(begin_version, *place, current_work().claimed.id)
    if version is None:
        return
    try:
        owes_vectors = await _carried_on(version)
    except AppError as error:
        if error.retryable and current_work().attempt < PATIENCE:
            raise
        failed, code = VersionStatus.FAILED, error.code
        await in_thread(end_version, *place, failed, code=code, text=error.user_message)
        return
    crash_point("version_embedded")
    await in_thread(_finish, *place, owes_vectors=owes_vectors)


async def _carried_on(version: DocumentVersion) -> bool:
    """All stages that are left but the last; whether vectors are owed. Raises AppError."""
    place = (version.organisation_id, version.pk)
    found: DocumentVersion | None = version
    if version.status == VersionStatus.PARSING:
        found = await _with_file(version)
        if found is not None:
            parsed = await _parsed(found)
            crash_point("version_parsed")
            found = await in_thread(keep_pages, *place, parsed)
    if found is not None and found.status == VersionStatus.CHUNKING:
        found = await in_thread(cut_version, *place)
        crash_point("version_cut")
    if found is None or resolve_embedding_model() is None:
        return False
    try:
        await _embedded(found)
    except ModelError as error:
        if error.retryable and current_work().attempt < PATIENCE:
            raise
        logger.warning("version %s is not embedded yet: %s", version.pk, error)
        return True
    return False


async def _with_file(version: DocumentVersion) -> DocumentVersion | None:
    """The version with something to read; a web page is fetched. Raises AppError."""
    if version.file is not None:
        return version
    if version.document.source != DocumentSource.WEB:
        raise DocumentNotFound("The file of this document is not there any more.")
    limit = settings.ONE_KNOWLEDGE_MAX_BYTES
    page = await fetch_page(version.document.source_url, max_bytes=limit)
    file: StoredFile = await in_thread(
        store_file,
        version.organisation_id,
        page.data,
        filename=page.filename,
        media_type=page.media_type,
        max_bytes=limit,
    )
    return await in_thread(keep_fetched, version.organisation_id, version.pk, file)


class _Reading:
    """What the thread that reads and the loop that watches it know of each other."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.pages = (0, 0)

    def on_page(self, done: int, total: int) -> None:
        self.pages = (done, total)


async def _parsed(version: DocumentVersion) -> ParsedDocument:
    """Read the file in its own process, telling how far it is. Raises ParseFailed."""
    assert version.file is not None
    reading = _Reading()
    task = asyncio.ensure_future(asyncio.to_thread(_read, version.file, reading))
    told = reading.pages
    try:
        while not (await asyncio.wait([task], timeout=TELL_EVERY))[0]:
            if reading.pages != told:
                told = reading.pages
                await in_thread(tell_pages, version.organisation_id, version.pk, *told)
        return task.result()
    finally:
        reading.stop.set()
        # The process has ended a moment later, whatever ends us here.
        await asyncio.wait([task])


def _read(row: StoredFile, reading: _Reading) -> ParsedDocument:
    size = -(-int(settings.ONE_KNOWLEDGE_MAX_BYTES) // 1024**2)
    limits = ParseLimits(pages=settings.ONE_KNOWLEDGE_MAX_PAGES, file_mb=size)
    with open_file(row) as file, tempfile.NamedTemporaryFile() as copy:
        path = Path(str(getattr(file, "name", "")))
        if not (path.is_absolute() and path.is_file()):
            # From a storage that is no folder.
            shutil.copyfileobj(file, copy)
            copy.flush()
            path = Path(copy.name)
        return parse_in_sandbox(
            path,
            limits,
            filename=row.filename,
            on_page=reading.on_page,
            should_stop=reading.stop.is_set,
        )


async def _embedded(version: DocumentVersion) -> None:
    """Vectors of all passages; batches that are there already cost nothing. Raises ModelError."""
    place = (version.organisation_id, version.pk)
    ids = await in_thread(_ids_of, version)
    for start in range(0, len(ids), MOST_IDS):
        if not await in_thread(is_carried_on, *place, VersionStatus.EMBEDDING):
            return
        await embed_items(CHUNKS.name, place[0], ids[start : start + MOST_IDS])


def _ids_of(version: DocumentVersion) -> list[UUID]:
    with in_tenant(version.organisation_id):
        return chunk_ids(version)


def _finish(organisation_id: UUID, version_id: UUID, *, owes_vectors: bool) -> None:
    with in_tenant(organisation_id):
        done = finish_version(organisation_id, version_id, owes_vectors=owes_vectors)
        if done is not None and owes_vectors:
            later = embed_version.options(run_after=120.0)
            enqueue(later, organisation_id, version_id, organisation_id=organisation_id)


@step(
    name="agents_app.embed_version",
    pool=POOL,
    timeout=6 * 3600.0,
    retry=Retry(attempts=15, initial=120.0, base=1.6),
)
async def embed_version(organisation_id: UUID, version_id: UUID) -> None:
    """Vectors of a document that is found by its words already. Raises ModelError until it can."""
    ids = await in_thread(_ids_of, DocumentVersion(organisation_id=organisation_id, pk=version_id))
    for start in range(0, len(ids), MOST_IDS):
        await embed_items(CHUNKS.name, organisation_id, ids[start : start + MOST_IDS])
    await in_thread(vectors_are_paid, organisation_id, version_id)


@step(name="agents_app.version_over", kind="transaction")
def version_over(result: Result, context: dict[str, Any]) -> None:
    """The work has ended: a version that is still on its way has nobody to carry it on."""
    organisation_id, version_id = UUID(context["organisation"]), UUID(context["version"])
    if result.kind == "success":
        return
    canceled = result.kind == "canceled"
    end_version(
        organisation_id,
        version_id,
        VersionStatus.CANCELED if canceled else VersionStatus.FAILED,
        code="" if canceled else "gave_up",
        text="" if canceled else GAVE_UP,
        work_id=result.id,
    )


@step(name="agents_app.rewrite_document", kind="transaction", pool=POOL)
def rewrite_document(organisation_id: UUID, document_id: UUID) -> None:
    """Its passages in the words of its present title and the language of its collection."""
    with in_tenant(organisation_id):
        rows = Document.objects.select_for_update(of=("self",), no_key=True)
        rows = rows.filter(organisation_id=organisation_id).select_related("collection")
        document = rows.filter(pk=document_id).first()
        if document is None:
            return
        language = document.collection.language
        cut = [VersionStatus.EMBEDDING, VersionStatus.READY]
        for version in document.versions.filter(status__in=cut):
            changed = rewrite_chunks(version, title=document.title, language=language)
            request_embedding(CHUNKS, organisation_id, changed)


def sweep_versions() -> int:
    """Start versions that nobody carries on: of a migration, or of work that was lost; how many."""
    started = 0
    for key in Organisation.objects.order_by("pk").values_list("pk", flat=True).iterator():
        with in_tenant(key):
            rows = DocumentVersion.objects.filter(organisation_id=key).open()
            rows = rows.select_for_update(of=("self",), no_key=True, skip_locked=True)
            for version in rows.select_related("work").order_by("created_at")[:100]:
                is_old = version.updated_at < timezone.now() - FORGOTTEN
                if version.work is None or (not version.work.is_open and is_old):
                    start_version(version)
                    started += 1
    return started
