"""Vectors are made after the commit that made the text, in batches, by workers.

An item without a vector is found by its words; what fails here fails nothing else. The ids of an
item are all that a piece of work carries: the text is read when it is embedded, so that the last
one wins. A text that the model refuses is embedded without its middle or left out; those beside it
have their vectors all the same.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from agents_app.models import EmbeddingSpace, SpaceState
from agents_app.providers.embeddings import EmbeddingModel, Vector
from agents_app.providers.errors import ErrorCode, ModelError
from agents_app.providers.registry import resolve_embedding_model
from agents_app.runtime.recorded import Caller
from agents_app.runtime.recorded_embeddings import RecordedEmbedder
from agents_app.search.kinds import EmbeddedKind, EmbeddedText, find_kind
from agents_app.search.spaces import LIVE, model_of
from agents_app.search.vectors import copy_known, refuse_items, store_vectors
from agents_app.services.ai_calls import keep_calls
from agents_app.services.spaces import ensure_space, note_error
from one_project.common.database import in_thread
from one_project.common.tenancy import in_tenant
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

POOL = declare_pool("embeddings", 2)
BATCH = 32
MOST_IDS = 1_000  # of one piece of work
# The model takes the request, but not this text.
REFUSALS: Final[frozenset[ErrorCode]] = frozenset(
    {"bad_request", "context_too_long", "content_filter"}
)
PROBE: Final = "length"
SHORTEST: Final = 250  # characters; a text is not cut below that

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
    """Embed them into every live space; returns how many vectors were made.

    Raises ModelError where that of the active space fails.
    """
    found = find_kind(kind)
    if not await in_thread(ensure_space):
        model = resolve_embedding_model()
        if model is None or not await in_thread(
            ensure_space, await length_of(model, organisation_id)
        ):
            return 0
    made = 0
    for space in await in_thread(live_spaces):
        try:
            made += await embed_into(space, found, organisation_id, ids, is_limited=True)
        except ModelError as error:
            if error.code == "budget_exceeded":
                # Found by words until there is money again: what lacks vectors is asked for then.
                logger.info("%s of %s wait: %s", kind, organisation_id, error.detail)
                break
            # What one that is being built lacks is found again by whoever fills it.
            if space.state == SpaceState.ACTIVE:
                raise
    return made


async def embed_into(
    space: EmbeddingSpace,
    kind: EmbeddedKind,
    organisation_id: UUID,
    ids: Sequence[UUID],
    *,
    is_limited: bool = False,
) -> int:
    """Embed what of ``ids`` has no vector of its present text; returns how many. Raises ModelError.

    A batch is stored as soon as it is there: a worker that is lost costs one batch. ``is_limited``:
    as far as budgets cover it; what the installation does with its spaces it does for all.
    """
    model = await in_thread(model_of, space)
    if model is None:
        return 0
    todo = await in_thread(texts_to_embed, space, kind, organisation_id, ids)
    if not todo:
        return 0
    made = 0
    try:
        async with recorded(model, organisation_id, is_limited=is_limited) as asked:
            for start in range(0, len(todo), BATCH):
                batch = todo[start : start + BATCH]
                vectors = await _vectors(asked, batch)
                await in_thread(keep_calls, asked.take())
                if any(vector and len(vector) != space.dimensions for vector in vectors):
                    raise ModelError("invalid_response", detail="vectors of another length")
                made += await in_thread(keep_vectors, space, kind, organisation_id, batch, vectors)
    except ModelError as error:
        if error.code != "budget_exceeded":  # that is one organisation's, the space everybody's
            await in_thread(note_error, space.pk, error.message_for_person)
        raise
    await in_thread(note_error, space.pk, "")
    return made


async def length_of(model: EmbeddingModel, organisation_id: UUID | None = None) -> int:
    """How many numbers its vectors have: as it says, else it is tried. Raises ModelError."""
    if model.dimensions is not None:
        return model.dimensions
    async with recorded(model, organisation_id) as asked:
        return len((await asked.embed([PROBE])).vectors[0])


@asynccontextmanager
async def recorded(
    model: EmbeddingModel, organisation_id: UUID | None, *, is_limited: bool = False
) -> AsyncIterator[RecordedEmbedder]:
    """The model; what was asked of it within the block is in the ledger afterwards."""
    asked = RecordedEmbedder(model, Caller(organisation_id=organisation_id), is_limited)
    try:
        yield asked
    finally:
        if calls := asked.take():
            await in_thread(keep_calls, calls)


async def _vectors(asked: RecordedEmbedder, batch: Sequence[EmbeddedText]) -> list[Vector | None]:
    """In their order; None for a text that the model refuses. Raises ModelError."""
    try:
        return list((await asked.embed([one.text for one in batch])).vectors)
    except ModelError as error:
        if error.code not in REFUSALS:
            raise
    # A model that refuses a harmless word as well is not set up right: that is an error.
    await asked.embed([PROBE])
    return [await _alone(asked, one.text) for one in batch]


async def _alone(asked: RecordedEmbedder, text: str) -> Vector | None:
    """The vector of the text, or of as much of its two ends as the model takes: a passage begins
    with its title, and a message stands behind the one before it."""
    while True:
        try:
            return (await asked.embed([text])).vectors[0]
        except ModelError as error:
            if error.code not in REFUSALS:
                raise
            if error.code == "content_filter" or len(text) < 2 * SHORTEST:
                return None
        text = f"{text[: len(text) // 4]} {text[-(len(text) // 4) :]}"


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
    vectors: Sequence[Vector | None],
) -> int:
    """Store them, and what has none (the model refuses its text); returns how many were stored."""
    made = [(text, vector) for text, vector in zip(texts, vectors, strict=True) if vector]
    refused = [text for text, vector in zip(texts, vectors, strict=True) if not vector]
    with in_tenant(organisation_id):
        store_vectors(kind, space.pk, organisation_id, made)
        if refused:
            refuse_items(kind, space.pk, organisation_id, refused)
            logger.warning(
                "%s refuses the text of %s %s", space, kind.name, [str(x.item_id) for x in refused]
            )
        if made and kind.after:
            kind.after(organisation_id, [text.item_id for text, _ in made])
    return len(made)
