"""Vectors by hand, for programs that look after them: generate, page, insert, update, delete.

What is said and embedded by the house itself needs none of this (``services.embedding``). Vectors
of another length than the space's are refused: a change of length is delete and insert, in a space
of its own (EM-3, EM-5).
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from agents_app.models import EmbeddingSpace
from agents_app.providers.embeddings import Embeddings
from agents_app.providers.registry import require_embedding_model
from agents_app.search.kinds import EmbeddedKind, find_kind
from agents_app.search.spaces import active_space
from agents_app.search.texts import embedded
from agents_app.search.vectors import (
    VectorPage,
    delete_vectors,
    page_vectors,
    present_ids,
    store_vectors,
)
from agents_app.services.embedding import embed_into, recorded, request_embedding
from one_project.accounts.models import Organisation
from one_project.common.database import in_thread
from one_project.common.errors import InvalidInput
from one_project.common.tenancy import in_tenant


async def generate_embeddings(organisation: Organisation, texts: Sequence[str]) -> Embeddings:
    """Vectors of texts, in their order, stored nowhere. Raises ModelError.

    organisation: whose call it is in the ledger.
    """
    async with recorded(require_embedding_model(), organisation.pk, is_limited=True) as asked:
        return await asked.embed([embedded(text) for text in texts])


async def generate_and_save(organisation: Organisation, kind: str, ids: Sequence[UUID]) -> int:
    """Embed these items now; how many needed it: what has its vector, or no text, is left (EM-7).

    Raises ModelError, InvalidInput for an unknown kind or where there is no space.
    """
    space, found = await in_thread(_space, None), _kind(kind)
    return await embed_into(space, found, organisation.pk, ids, is_limited=True)


def paginate_embeddings(
    organisation: Organisation,
    kind: str,
    *,
    space: EmbeddingSpace | None = None,
    cursor: UUID | None = None,
    limit: int = 100,
) -> VectorPage:
    """Ids of items that have a vector, at most 300 a page (EM-1)."""
    with in_tenant(organisation.pk):
        return page_vectors(_kind(kind), _space(space).pk, organisation.pk, cursor, limit)


def insert_embeddings(
    organisation: Organisation,
    kind: str,
    vectors: Mapping[UUID, Sequence[float]],
    *,
    space: EmbeddingSpace | None = None,
) -> int:
    """Give items vectors made elsewhere (EM-2); how many. Replaces those there are.

    Raises InvalidInput for another length or an item that is not the organisation's.
    """
    target, found = _space(space), _kind(kind)
    _check_lengths(vectors, target)
    with in_tenant(organisation.pk):
        texts = {one.item_id: one for one in found.read(organisation.pk, list(vectors))}
        if missing := set(vectors) - texts.keys():
            raise InvalidInput(f"{len(missing)} of the items do not exist.")
        store_vectors(
            found,
            target.pk,
            organisation.pk,
            [(texts[key], vector) for key, vector in vectors.items()],
        )
    return len(vectors)


def update_embeddings(
    organisation: Organisation,
    kind: str,
    vectors: Mapping[UUID, Sequence[float]],
    *,
    space: EmbeddingSpace | None = None,
) -> int:
    """Replace vectors that are there (EM-3). Raises InvalidInput for one that is not."""
    target, found = _space(space), _kind(kind)
    with in_tenant(organisation.pk):
        present = present_ids(found, target.pk, organisation.pk, list(vectors))
        if missing := set(vectors) - present:
            raise InvalidInput(f"{len(missing)} of the items have no vector to replace.")
        return insert_embeddings(organisation, kind, vectors, space=target)


def delete_embeddings(
    organisation: Organisation,
    kind: str,
    ids: Sequence[UUID],
    *,
    space: EmbeddingSpace | None = None,
) -> int:
    """Delete vectors; how many there were (EM-4). Their items are found by words from then on."""
    with in_tenant(organisation.pk):
        return delete_vectors(_kind(kind), _space(space).pk, organisation.pk, ids)


def renew_embeddings(organisation: Organisation, kind: str, ids: Sequence[UUID]) -> None:
    """Delete these vectors and have them made again, by a worker."""
    with in_tenant(organisation.pk):
        delete_vectors(_kind(kind), _space(None).pk, organisation.pk, ids)
        request_embedding(_kind(kind), organisation.pk, ids)


def _kind(name: str) -> EmbeddedKind:
    try:
        return find_kind(name)
    except KeyError:
        raise InvalidInput(f"Nothing called “{name}” has vectors.") from None


def _space(space: EmbeddingSpace | None) -> EmbeddingSpace:
    found = space or active_space()
    if found is None:
        raise InvalidInput("There is no embedding space yet.")
    return found


def _check_lengths(vectors: Mapping[UUID, Sequence[float]], space: EmbeddingSpace) -> None:
    wrong = [len(vector) for vector in vectors.values() if len(vector) != space.dimensions]
    if wrong:
        raise InvalidInput(
            f"A vector of {wrong[0]} numbers does not fit into a space of {space.dimensions}."
        )
