"""The documents as real ones, cut as the product cuts them, and the search over their passages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.evaluation.loading import Document
from benchmarks.evaluation.scoring import Piece

if TYPE_CHECKING:
    from agents_app.models import Collection, EmbeddingSpace
    from one_project.accounts.models import Organisation, User


@dataclass(frozen=True, slots=True)
class Library:
    """Where the documents are, and their passages by id."""

    organisation: "Organisation"
    user: "User"  # may read the collection, which is private
    collection: "Collection"
    pieces: dict[UUID, Piece]

    def search(
        self,
        question: str,
        space_id: int,
        vector: Sequence[float] | None,
        *,
        words: bool = True,
        limit: int = 10,
    ) -> list[Piece]:
        """Best first. Words alone: no ``vector``; vectors alone: not ``words``."""
        from agents_app.search.chunks import Where, find_chunks
        from agents_app.search.query_vectors import QueryVector
        from one_project.common.tenancy import in_tenant

        where = Where(organisation=self.organisation, user=self.user)
        by = QueryVector(space_id, tuple(vector)) if vector is not None else QueryVector()
        with in_tenant(self.organisation.pk):
            hits = find_chunks(where, question, limit=limit, vector=by, text_search=words)
        return [self.pieces[hit.item_id] for hit in hits]


async def load_library(
    documents: Sequence[Document], organisation: "Organisation", space: "EmbeddingSpace"
) -> Library:
    """One collection with all of them, cut, embedded and ready."""
    from agents_app.services.collections import create_collection
    from benchmarks.people import make_user
    from one_project.common.database import in_thread

    user = await in_thread(make_user, organisation)
    collection = await in_thread(
        lambda: create_collection(organisation, user=user, name="Evaluation")
    )
    library = Library(organisation, user, collection, {})
    for document in documents:
        await _add(library, document, space)
    return library


async def _add(library: Library, document: Document, space: "EmbeddingSpace") -> None:
    """As the work that carries a version on does, from the text on."""
    from agents_app.search.chunk_texts import CHUNKS
    from agents_app.services.document_versions import cut_version, finish_version
    from agents_app.services.embedding import embed_into
    from one_project.common.database import in_thread

    organisation = library.organisation.pk
    version = await in_thread(_read_version, library.collection, document)
    await in_thread(cut_version, organisation, version)
    found = await in_thread(_pieces, organisation, version, document.id)
    await embed_into(space, CHUNKS, organisation, list(found))
    await in_thread(finish_version, organisation, version)
    library.pieces.update(found)


def _read_version(collection: "Collection", document: Document) -> UUID:
    """A new document whose one page has been read; the id of its version."""
    from agents_app.knowledge.parse_text import headings_of
    from agents_app.models import Document as Row
    from agents_app.models import DocumentPage, DocumentSource, DocumentVersion, VersionStatus
    from one_project.common.tenancy import in_tenant

    place = {"organisation_id": collection.organisation_id}
    with in_tenant(collection.organisation_id):
        row = Row.objects.create(
            **place,
            collection=collection,
            title=document.title,
            source=DocumentSource.TEXT,
            key=document.id,
        )
        version = DocumentVersion.objects.create(
            **place,
            document=row,
            number=1,
            status=VersionStatus.CHUNKING,
            media_type="text/markdown",
        )
        headings = [list(heading) for heading in headings_of(document.text)]
        DocumentPage.objects.create(
            **place, version=version, number=1, text=document.text, meta={"headings": headings}
        )
    return version.pk


def _pieces(organisation_id: UUID, version_id: UUID, document: str) -> dict[UUID, Piece]:
    from agents_app.models import Chunk
    from one_project.common.tenancy import in_tenant

    with in_tenant(organisation_id):
        rows = Chunk.objects.filter(version=version_id).order_by("seq")
        return {key: Piece(document, text) for key, text in rows.values_list("pk", "text")}
