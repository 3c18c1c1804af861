"""Vectors are made after the commit that made the text, in batches, by workers.

An item without a vector is found by its words; what fails here fails nothing else. The ids of an
item are all that a piece of work carries: the text is read when it is embedded, so that the last
one wins.
"""

import logging
from collections.abc import Sequence
from uuid import UUID

from agents_app.models import EmbeddingSpace
from agents_app.providers.embeddings import Vector
from agents_app.providers.errors import ModelError
from agents_app.providers.registry import resolve_embedding_model
from agents_app.search.kinds import EmbeddedKind, EmbeddedText, find_kind
from agents_app.search.spaces import LIVE, model_of
from agents_app.search.vectors import copy_known, store_vectors
from agents_app.services.spaces import ensure_space
from one_project.common.database import in_thread
from one_project.common.tenancy import in_tenant
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

POOL = declare_pool("embeddings", 2)
BATCH = 32
MOST_IDS = 1_000  # of one piece of work

logger = logging.getLogger(__name__)


def request_embedding(kind: EmbeddedKind, organisation_id: UUID, ids: Sequence[UUID]) -> None:
    """Have these items embedded, in the caller's transaction. Nothing where nothing can embed."""
    if not ids or resolve_embedding_model() is None:
        return
    for start in range(0, len(ids), MOST_IDS):
        enqueue(
            embed_items,
            kind.name,
            organisation_id,
            list(ids[start : start + MOST_IDS]),
            organisation_id=organisation_id,
        )


@step(
    name="agents_app.embed_items",
    pool=POOL,
    timeout=1800.0,
    retry=Retry(attempts=6, initial=1.0, base=4.0),
)
async def embed_items(kind: str, organisation_id: UUID, ids: list[UUID]) -> int:
    """Embed them into every live space; returns how many vectors were made. Raises ModelError."""
    found = find_kind(kind)
    if not await in_thread(ensure_space):
        first = await _first_vector(found, organisation_id, ids)
        if first is None or not await in_thread(ensure_space, len(first)):
            return 0
    made = 0
    for space in await in_thread(live_spaces):
        made += await embed_into(space, found, organisation_id, ids)
    return made


async def embed_into(
    space: EmbeddingSpace, kind: EmbeddedKind, organisation_id: UUID, ids: Sequence[UUID]
) -> int:
    """Embed what of ``ids`` has no vector of its present text; returns how many. Raises ModelError.

    A batch is stored as soon as it is there: a worker that is lost costs one batch.
    """
    model = await in_thread(model_of, space)
    if model is None:
        return 0
    todo = await in_thread(texts_to_embed, space, kind, organisation_id, ids)
    for start in range(0, len(todo), BATCH):
        batch = todo[start : start + BATCH]
        vectors = (await model.embed([one.text for one in batch])).vectors
        if any(len(vector) != space.dimensions for vector in vectors):
            raise ModelError("invalid_response", detail="vectors of another length")
        await in_thread(keep_vectors, space, kind, organisation_id, batch, vectors)
    return len(todo)


def live_spaces() -> list[EmbeddingSpace]:
    return list(EmbeddingSpace.objects.filter(state__in=LIVE).order_by("pk"))


def texts_to_embed(
    space: EmbeddingSpace, kind: EmbeddedKind, organisation_id: UUID, ids: Sequence[UUID]
) -> list[EmbeddedText]:
    """Those without a vector; what the tenant has embedded before is copied instead."""
    with in_tenant(organisation_id):
        texts = [one for one in kind.read(organisation_id, ids) if one.text]
        known = copy_known(kind, space.pk, organisation_id, texts)
        if known and kind.after:
            kind.after(organisation_id, list(known))
    return [one for one in texts if one.item_id not in known]


def keep_vectors(
    space: EmbeddingSpace,
    kind: EmbeddedKind,
    organisation_id: UUID,
    texts: Sequence[EmbeddedText],
    vectors: Sequence[Vector],
) -> None:
    with in_tenant(organisation_id):
        store_vectors(kind, space.pk, organisation_id, zip(texts, vectors, strict=True))
        if kind.after:
            kind.after(organisation_id, [text.item_id for text in texts])


async def _first_vector(
    kind: EmbeddedKind, organisation_id: UUID, ids: Sequence[UUID]
) -> Vector | None:
    """A vector to learn its length from, where the model does not say."""
    model = resolve_embedding_model()
    if model is None:
        return None
    return (await model.embed(["length"])).vectors[0]
