"""Documents that are ready to be searched, made without a worker or a file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from asgiref.sync import async_to_sync

from agents_app.knowledge.chunking import TextChunk
from agents_app.models import (
    Chunk,
    Collection,
    Document,
    DocumentPage,
    DocumentVersion,
    VersionStatus,
)
from agents_app.providers.registry import use_embedding_model
from agents_app.providers.scripted_embeddings import ScriptedEmbeddingModel
from agents_app.search.chunk_texts import CHUNKS, chunk_ids, remove_chunks, write_chunks
from agents_app.search.query_vectors import QueryVector
from agents_app.services.embedding import keep_vectors, live_spaces, texts_to_embed
from agents_app.services.spaces import ensure_space
from one_project.accounts.models import Grant, Organisation, User
from one_project.common.tenancy import in_tenant

DIMENSIONS = 64


def make_collection(
    organisation: Organisation,
    owner: User | None = None,
    *,
    shared: bool = False,
    language: str = "english",
    name: str = "Handbook",
) -> Collection:
    """Private to its owner, or for everybody in the organisation."""
    with in_tenant(organisation.pk):
        collection = Collection.objects.create(
            organisation=organisation, name=name, created_by=owner, language=language
        )
    if shared:
        share(collection)
    return collection


def share(collection: Collection, user: User | None = None, level: str = "use") -> None:
    """With one person, or with everybody."""
    Grant.objects.create(
        organisation=collection.organisation,
        object_type="collection",
        object_id=collection.pk,
        user=user,
        level=level,
    )


def make_document(
    collection: Collection,
    title: str,
    *texts: str,
    importance: float = 1.0,
    media_type: str = "application/pdf",
    folder: str = "",
) -> Document:
    """A document whose every text is a page of one passage."""
    with in_tenant(collection.organisation_id):
        document = Document.objects.create(
            organisation=collection.organisation,
            collection=collection,
            title=title,
            source="text",
            key=title,
            importance=importance,
            folder=folder,
            created_by=collection.created_by,
        )
        new_version(document, *texts, media_type=media_type)
    return document


def new_version(
    document: Document, *texts: str, media_type: str = "application/pdf"
) -> DocumentVersion:
    """Another version, which takes the place of the one before."""
    collection = document.collection
    with in_tenant(document.organisation_id):
        before = document.versions.count()
        version = DocumentVersion.objects.create(
            organisation=document.organisation,
            document=document,
            number=before + 1,
            status=VersionStatus.READY,
            sha256="0" * 64,
            media_type=media_type,
            chunks_total=len(texts),
        )
        DocumentPage.objects.bulk_create(
            DocumentPage(
                organisation=document.organisation,
                version=version,
                number=number,
                label=number,
                text=text,
            )
            for number, text in enumerate(texts, 1)
        )
        write_chunks(
            version,
            title=document.title,
            language=collection.language,
            chunks=[
                TextChunk(seq, seq + 1, 0, len(text), "", text) for seq, text in enumerate(texts)
            ],
            numbers={number: number for number in range(1, len(texts) + 1)},
        )
        document.current = version
        document.save(update_fields=["current"])
        document.versions.exclude(pk=version.pk).update(status=VersionStatus.REPLACED)
        removed = remove_chunks(document, but=version) if before else 0
        collection.chunk_count += len(texts) - removed
        collection.save(update_fields=["chunk_count"])
    return version


@contextmanager
def embedding() -> Iterator[ScriptedEmbeddingModel]:
    """A model that gives the same vector for the same text, and a space for its vectors."""
    with use_embedding_model(ScriptedEmbeddingModel(dimensions=DIMENSIONS)) as model:
        assert isinstance(model, ScriptedEmbeddingModel)
        assert ensure_space()
        yield model


def embed_all(organisation: Organisation) -> None:
    """What the worker does, without one."""
    for space in live_spaces():
        with in_tenant(organisation.pk):
            ids = list(Chunk.objects.filter(organisation=organisation).values_list("pk", flat=True))
        todo = texts_to_embed(space, CHUNKS, organisation.pk, ids)
        vectors = vectors_of([one.text for one in todo])
        keep_vectors(space, CHUNKS, organisation.pk, todo, vectors)


def vectors_of(texts: Sequence[str]) -> list[tuple[float, ...]]:
    if not texts:
        return []
    model = ScriptedEmbeddingModel(dimensions=DIMENSIONS)
    return [tuple(one) for one in async_to_sync(model.embed)(list(texts)).vectors]


def vector_of(text: str) -> QueryVector:
    return QueryVector(live_spaces()[0].pk, vectors_of([text])[0])


def current_chunks(document: Document) -> list[Chunk]:
    with in_tenant(document.organisation_id):
        assert document.current is not None
        ids = chunk_ids(document.current)
        return list(Chunk.objects.filter(pk__in=ids).order_by("seq"))
