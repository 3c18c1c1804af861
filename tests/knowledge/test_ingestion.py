"""Documents on their way: read, cut, embedded, swapped in, stopped, deleted."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any

import psutil
import pytest
from aiohttp import web
from django.core.files.uploadedfile import SimpleUploadedFile

from agents_app.errors import DocumentNotFound, FileTooLarge
from agents_app.knowledge.parsed import ParsedDocument, ParsedPage
from agents_app.models import (
    Chunk,
    ChunkEmbedding,
    Collection,
    Document,
    DocumentPage,
    DocumentVersion,
    StoredFile,
    VersionStatus,
)
from agents_app.providers.blobs import has_blob
from agents_app.providers.errors import ModelError
from agents_app.providers.registry import use_embedding_model
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from agents_app.services.document_reading import document_progress, read_pages, versions_of
from agents_app.services.document_versions import begin_version, keep_pages
from agents_app.services.documents import (
    add_page,
    add_sitemap,
    add_text,
    add_upload,
    cancel_version,
    delete_document,
    refresh_document,
    rename_document,
    retry_version,
)
from agents_app.services.files import use_files
from agents_app.services.ingesting import ingest_version, sweep_versions
from integrations_app.errors import BadAddress
from one_project.common.database import in_thread
from one_project.common.errors import Conflict
from one_project.common.tenancy import in_tenant
from one_project.workflows.current import CurrentWork, set_current
from one_project.workflows.models import WorkItem
from tests.integrations.web_server import running_web_server
from tests.knowledge import samples
from tests.knowledge.ingestion import (
    HANDBOOK,
    fresh,
    matching,
    new_collection,
    passages,
    work_through,
)
from tests.people import World
from tests.workflows.by_hand import pass_time, take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def embedder() -> Iterator[ScriptedEmbeddingModel]:
    with use_embedding_model(ScriptedEmbeddingModel(dimensions=64)) as model:
        assert isinstance(model, ScriptedEmbeddingModel)
        yield model


@pytest.fixture
def collection(committed_world: World) -> Collection:
    return new_collection(committed_world)


def upload(collection: Collection, data: str | bytes, name: str = "handbook.md") -> DocumentVersion:
    file = SimpleUploadedFile(name, data.encode() if isinstance(data, str) else data)
    return add_upload(collection, user=collection.created_by, file=file, filename=name)


def rows_of(collection: Collection) -> dict[str, int]:
    models = (Document, DocumentVersion, DocumentPage, Chunk, ChunkEmbedding, StoredFile)
    with in_tenant(collection.organisation_id):
        return {model.__name__: model.objects.count() for model in models}


def embedded(embedder: ScriptedEmbeddingModel) -> list[str]:
    return [text for batch in embedder.requests for text in batch if text != "length"]


def test_upload_becomes_searchable_by_words_and_meaning(
    collection: Collection, embedder: ScriptedEmbeddingModel
) -> None:
    version = upload(collection, HANDBOOK)
    [progress] = document_progress(collection.created_by, collection.organisation, collection)
    assert (progress.stage, progress.is_open) == ("Waiting", True)
    work_through()

    version = fresh(version)
    assert (version.status, version.error) == (VersionStatus.READY, "")
    assert version.document.current_id == version.pk
    assert version.chunks_done == version.chunks_total == len(passages(collection)) == 2
    assert any("nine o'clock" in text for text in passages(collection))
    # Its own words, those of its headings and of its title; accents and all tenants' mark.
    assert matching(collection, "tell office") == 1
    assert matching(collection, "travel") == 1
    assert matching(collection, "handbook.md") == 2
    assert rows_of(collection)["ChunkEmbedding"] == 2
    with in_tenant(collection.organisation_id):
        assert Collection.objects.get(pk=collection.pk).chunk_count == 2
        assert Chunk.objects.extra(
            where=["tsv @@ quote_literal(%s)::tsquery"], params=[f"o:{collection.organisation_id}"]
        ).exists()
    page = read_pages(version.document)
    assert (page.number, page.label, page.previous, page.next) == (1, None, None, None)
    with in_tenant(collection.organisation_id):
        chunk = Chunk.objects.order_by("seq").first()
    assert chunk is not None
    assert page.text[chunk.char_start : chunk.char_end] == chunk.text


def test_passages_know_their_pages(collection: Collection) -> None:
    version = upload(collection, samples.pdf(), "no-name")
    work_through()
    version = fresh(version)
    assert (version.status, version.media_type) == (VersionStatus.READY, "application/pdf")
    assert (version.pages_done, version.pages_total) == (3, 3)
    with in_tenant(collection.organisation_id):
        found = Chunk.objects.get(text__contains="Trains are booked")
    assert (found.page, found.heading) == (2, "Travel")
    page = read_pages(version.document, 1, found.page)
    assert (page.label, page.previous, page.next, page.count) == (2, 1, 3, 3)
    assert "Trains" in page.text[found.char_start : found.char_end]
    with pytest.raises(DocumentNotFound):
        read_pages(version.document, 1, 4)


def test_same_file_again_costs_nothing(
    collection: Collection, embedder: ScriptedEmbeddingModel
) -> None:
    first = upload(collection, HANDBOOK)
    assert upload(collection, HANDBOOK).pk == first.pk  # still on its way
    work_through()
    asked = len(embedder.requests)
    again = upload(collection, HANDBOOK)
    assert (again.pk, again.meta) == (first.pk, {"known": True})
    work_through()
    assert len(embedder.requests) == asked
    assert fresh(first).meta == {}
    assert rows_of(collection)["DocumentVersion"] == 1


def test_names_may_be_as_long_as_they_are_allowed_to_be(collection: Collection) -> None:
    # Each letter is four bytes, and none like another: no index takes as much.
    letters = "".join(map(chr, range(0x20000, 0x20000 + 2_000)))
    folder = "/".join(letters[start : start + 115] for start in range(0, 575, 115))
    address = f"https://example.org/{letters[:1_900]}"
    for _ in range(2):
        file = BytesIO(HANDBOOK.encode())
        add_upload(collection, user=None, file=file, filename=letters[-255:], folder=folder)
        add_page(collection, user=None, url=address)
    assert rows_of(collection)["Document"] == 2
    # With the slash it gets it is one letter too long.
    with pytest.raises(BadAddress):
        add_page(collection, user=None, url=f"https://{'a' * 1_988}.org")


def test_new_version_takes_over_only_when_ready(
    collection: Collection, embedder: ScriptedEmbeddingModel
) -> None:
    first = upload(collection, HANDBOOK)
    work_through()
    before = len(embedded(embedder))
    second = upload(collection, HANDBOOK.replace("a month", "two weeks"))
    assert (second.number, second.document_id) == (2, first.document_id)
    assert any("a month" in text for text in passages(collection))
    work_through()

    assert any("two weeks" in text for text in passages(collection))
    assert not any("a month" in text for text in passages(collection))
    first, second = fresh(first), fresh(second)
    assert (first.status, second.status) == (VersionStatus.REPLACED, VersionStatus.READY)
    # What has not changed keeps its vector; the old passages are gone, its page can be cited.
    [changed] = embedded(embedder)[before:]
    assert "two weeks" in changed
    assert rows_of(collection)["Chunk"] == rows_of(collection)["ChunkEmbedding"] == 2
    assert "a month" in read_pages(first.document, version_number=1).text
    with in_tenant(collection.organisation_id):
        assert first.file is None
        assert list(StoredFile.objects.values_list("refcount", flat=True)) == [1]
        assert Collection.objects.get(pk=collection.pk).chunk_count == 2


def test_unreadable_version_says_why_and_leaves_the_one_before(collection: Collection) -> None:
    first = upload(collection, HANDBOOK)
    work_through()
    broken = upload(collection, b"\x7fELF" + bytes(200))
    work_through()
    broken = fresh(broken)
    assert (broken.status, broken.error_code) == (VersionStatus.FAILED, "unsupported_file")
    assert "a program" in broken.error
    assert broken.document.current_id == first.pk
    assert passages(collection)
    again = retry_version(broken, user=collection.created_by)
    work_through()
    assert fresh(again).status == VersionStatus.FAILED
    with pytest.raises(Conflict):
        retry_version(fresh(first), user=collection.created_by)


def test_away_model_leaves_a_document_that_is_found_by_words(
    collection: Collection, embedder: ScriptedEmbeddingModel
) -> None:
    embedder.fail = ModelError("auth")
    version = upload(collection, HANDBOOK)
    work_through()
    version = fresh(version)
    assert version.status == VersionStatus.READY
    assert "not yet by its meaning" in version.warnings[0]
    assert matching(collection, "office") == 1
    embedder.fail = None
    pass_time(3600)
    work_through()
    assert fresh(version).warnings == []
    assert rows_of(collection)["ChunkEmbedding"] == 2


def test_lost_worker_costs_one_stage(collection: Collection) -> None:
    version = upload(collection, HANDBOOK)
    [work] = take("knowledge")
    place = (version.organisation_id, version.pk)
    assert begin_version(*place, work.id)
    page = ParsedPage(None, "What was read before.")
    assert keep_pages(*place, ParsedDocument("", "text/plain", (page,)))
    pass_time(60)
    work_through()
    assert fresh(version).status == VersionStatus.READY
    assert passages(collection) == ["What was read before."]
    # Whoever was taken for lost and comes back changes nothing.
    assert begin_version(*place, work.id) is None
    assert keep_pages(*place, ParsedDocument("", "text/plain", ())) is None


def test_forgotten_and_migrated_versions_are_picked_up(collection: Collection) -> None:
    with in_tenant(collection.organisation_id):
        document = Document.objects.create(
            organisation=collection.organisation,
            collection=collection,
            title="Old",
            source="text",
            key="old",
        )
        version = DocumentVersion.objects.create(
            organisation=collection.organisation, document=document, number=1, sha256="0" * 64
        )
        DocumentPage.objects.create(
            organisation=collection.organisation, version=version, number=1, text="Old words."
        )
    assert sweep_versions() == 1
    assert sweep_versions() == 0
    work_through()
    assert passages(collection) == ["Old words."]


def test_canceled_version_never_becomes_current(collection: Collection) -> None:
    version = upload(collection, HANDBOOK)
    cancel_version(version, user=collection.created_by)
    with pytest.raises(Conflict):
        cancel_version(version, user=collection.created_by)
    work_through()
    version = fresh(version)
    assert (version.status, version.document.current) == (VersionStatus.CANCELED, None)
    retry_version(version, user=collection.created_by)
    work_through()
    assert fresh(version).status == VersionStatus.READY


async def test_cancel_ends_the_process_that_reads(collection: Collection) -> None:
    row = ",".join(["some words", "1", "2026-01-01", "more words"]) + "\n"
    version = await in_thread(upload, collection, "a,b,c,d\n" + row * 200_000, "long.csv")
    [work] = await in_thread(take, "knowledge")
    set_current(CurrentWork(work))
    reading = asyncio.ensure_future(ingest_version(version.organisation_id, version.pk))
    while not (children := _readers()):
        assert not reading.done()
        await asyncio.sleep(0.02)
    await in_thread(cancel_version, version, user=collection.created_by)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not any(child.is_running() for child in children)
    assert (await in_thread(fresh, version)).status == VersionStatus.CANCELED
    assert (await in_thread(rows_of, collection))["DocumentPage"] == 0


def _readers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    found = []
    for child in children:
        # One that has just ended has no command line any more.
        with suppress(psutil.NoSuchProcess):
            if "agents_app.knowledge.child" in child.cmdline():
                found.append(child)
    return found


def test_delete_leaves_no_trace(collection: Collection, embedder: ScriptedEmbeddingModel) -> None:
    version = upload(collection, HANDBOOK)
    work_through()
    upload(collection, HANDBOOK + "More.\n")
    work_through()
    later = upload(collection, HANDBOOK + "Still more.\n")
    other = upload(collection, HANDBOOK, "other.md")
    work_through()
    version, other = fresh(version), fresh(other)
    blobs = [fresh(later).file, other.file]
    delete_document(version.document, user=collection.created_by)
    assert passages(collection)
    delete_document(other.document, user=collection.created_by)
    left = rows_of(collection)
    with in_tenant(collection.organisation_id):
        assert Collection.objects.get(pk=collection.pk).chunk_count == 0
    assert not any(left.values())
    assert not any(has_blob(blob.storage_name, blob.size) for blob in blobs if blob)
    with pytest.raises(DocumentNotFound):
        delete_document(other.document, user=collection.created_by)


def test_delete_leaves_a_file_that_a_message_carries(collection: Collection) -> None:
    version = fresh(upload(collection, HANDBOOK))
    assert version.file is not None
    use_files(collection.organisation_id, [version.file.pk])
    delete_document(version.document, user=collection.created_by)
    work_through()
    assert rows_of(collection) | {"StoredFile": 1} == rows_of(collection)
    assert has_blob(version.file.storage_name, version.file.size)


def test_renamed_document_is_found_by_its_title(
    collection: Collection, embedder: ScriptedEmbeddingModel
) -> None:
    version = add_text(collection, user=None, title="Notes", text="Bring a lamp.")
    work_through()
    rename_document(fresh(version).document, user=None, title="Caving trip")
    work_through()
    assert matching(collection, "caving") == 1
    assert matching(collection, "notes") == 0
    assert embedded(embedder)[-1] == "Caving trip\n\nBring a lamp."
    with in_tenant(collection.organisation_id):
        [vector], [chunk] = ChunkEmbedding.objects.all(), Chunk.objects.all()
    assert vector.content_hash == chunk.content_hash


def test_limits_are_clear_errors(collection: Collection, settings: Any) -> None:
    settings.ONE_KNOWLEDGE_MAX_BYTES = 10
    with pytest.raises(FileTooLarge):
        add_upload(collection, user=None, file=BytesIO(b"x" * 11), filename="x.txt")
    settings.ONE_KNOWLEDGE_MAX_BYTES = 1000
    settings.ONE_KNOWLEDGE_MAX_DOCUMENTS = 1
    upload(collection, "one", "one.txt")
    with pytest.raises(Exception, match="at most 1 documents"):
        upload(collection, "two", "two.txt")


async def test_web_page_and_sitemap_become_documents(collection: Collection, settings: Any) -> None:
    texts = {"/a": "<title>First</title><h1>First</h1><p>Of apples.</p>", "/b": "<p>Of pears.</p>"}

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/sitemap.xml":
            host = f"http://{request.host}"
            listed = (f"{host}/a", f"{host}/b", f"{host}/b#part", "http://elsewhere.test/c")
            urls = "".join(f"<url><loc>{one}</loc></url>" for one in listed)
            space = "http://www.sitemaps.org/schemas/sitemap/0.9"
            return web.Response(body=f'<urlset xmlns="{space}">{urls}</urlset>'.encode())
        if request.path not in texts:
            return web.Response(status=404)
        return web.Response(text=f"<html>{texts[request.path]}</html>", content_type="text/html")

    async with running_web_server(answer) as server:
        settings.ONE_HTTP_ALLOWED_HOSTS = [server.address]
        await in_thread(add_sitemap, collection, user=None, url=f"{server.url}/sitemap.xml")
        await in_thread(work_through)
        assert await in_thread(titles, collection) == ["First", f"{server.url}/b"]
        assert await in_thread(matching, collection, "apples") == 1

        document = await in_thread(_document, collection, f"{server.url}/a")
        same = await in_thread(refresh_document, document, user=None)
        await in_thread(work_through)
        assert (await in_thread(fresh, same)).error_code == "unchanged"
        texts["/a"] = "<p>Of plums.</p>"
        await in_thread(refresh_document, document, user=None)
        await in_thread(work_through)
        assert await in_thread(matching, collection, "plums") == 1
        assert await in_thread(matching, collection, "apples") == 0
        assert len(await in_thread(versions_of, document)) == 3

        missing = await in_thread(add_page, collection, user=None, url=f"{server.url}/missing")
        await in_thread(work_through)
        missing = await in_thread(fresh, missing)
        assert (missing.status, missing.error) == (
            VersionStatus.FAILED,
            "The page answered with status 404.",
        )


def titles(collection: Collection) -> list[str]:
    with in_tenant(collection.organisation_id):
        rows = Document.objects.filter(collection=collection).order_by("title")
        return list(rows.values_list("title", flat=True))


def _document(collection: Collection, key: str) -> Any:
    with in_tenant(collection.organisation_id):
        return Document.objects.select_related("current").get(collection=collection, key=key)


async def test_bad_sitemap_ends_with_its_reason(collection: Collection, settings: Any) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><urlset><url><loc>&a;</loc></url></urlset>'

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bomb.encode())

    async with running_web_server(answer) as server:
        settings.ONE_HTTP_ALLOWED_HOSTS = [server.address]
        work = await in_thread(add_sitemap, collection, user=None, url=f"{server.url}/s.xml")
        await in_thread(work_through)
    ended = await in_thread(WorkItem.objects.get, pk=work.pk)
    assert "not a sitemap" in ended.error_message
    assert (await in_thread(rows_of, collection))["Document"] == 0
