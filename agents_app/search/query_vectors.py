"""The vector of a query: from the cache, else from the model. Never computed in a web process.

Kept for five minutes under space, organisation and text: a key without the space would serve
vectors of the model before, one without the organisation would tell one tenant what another
asks for. The question of a web process lies beside them for a moment, where a worker finds it: so
no row holds its text, and nobody answers it when it is not waited for any more.
"""

import asyncio
import hashlib
import logging
import struct
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.core.cache import caches
from redis.exceptions import RedisError

from agents_app.models import EmbeddingSpace
from agents_app.providers.errors import ModelError
from agents_app.runtime.recorded import Caller, RecordedCall
from agents_app.runtime.recorded_embeddings import RecordedEmbedder, asked_by
from agents_app.runtime.store import keep
from agents_app.search.spaces import active_space, model_of
from agents_app.search.texts import TEXT_FORM, embedded
from one_project.common.database import in_thread

logger = logging.getLogger(__name__)

SECONDS = 300
ASKED_SECONDS = 5
UNAVAILABLE = "embedding_unavailable"
NO_EMBEDDER = "no_embedding_model"


@dataclass(frozen=True, slots=True)
class QueryVector:
    """``vector`` None: search by words alone, and say why (``degraded``, a code). ``calls``: what
    was asked of a model for it, kept already; nothing where it was known."""

    space_id: int | None = None
    vector: tuple[float, ...] | None = None
    degraded: str = ""
    calls: tuple[RecordedCall, ...] = field(default=(), compare=False, repr=False)


def cache_key(space_id: int, organisation_id: UUID, text: str) -> str:
    normal = unicodedata.normalize("NFC", embedded(text))
    told = f"{space_id}|{organisation_id}|query|{TEXT_FORM}|{normal}"
    return f"query-vector:{hashlib.sha256(told.encode(errors='surrogatepass')).hexdigest()}"


async def query_vector(
    organisation_id: UUID, text: str, *, caller: Caller | None = None
) -> QueryVector:
    """For workers. An embedder that fails leaves the words; it never fails a turn.

    ``caller``: whose call it is, if not the organisation's own.
    """
    space = await in_thread(active_space)
    if space is None or not text.strip():
        return QueryVector(degraded="" if space else NO_EMBEDDER)
    found = await in_thread(cached_vector, space, organisation_id, text)
    if found is not None:
        return QueryVector(space.pk, found)
    model = await in_thread(model_of, space)
    if model is None:
        return QueryVector(degraded=NO_EMBEDDER)
    asked = RecordedEmbedder(model, caller or asked_by(organisation_id), is_limited=True)
    vector: Sequence[float] | None = None
    try:
        vector = (await asked.embed([embedded(text)])).vectors[0]
    except ModelError as error:
        logger.warning("no vector for a query: %s", error.code)
    except asyncio.CancelledError:
        await in_thread(keep, asked.take(), [])
        raise
    if vector is not None and len(vector) != space.dimensions:
        logger.warning("the embedding model gives %s dimensions now", len(vector))
        vector = None
    calls = asked.take()
    await in_thread(_keep, space, organisation_id, text, vector, calls)
    if vector is None:
        return QueryVector(degraded=UNAVAILABLE, calls=tuple(calls))
    return QueryVector(space.pk, tuple(vector), calls=tuple(calls))


def _keep(
    space: EmbeddingSpace,
    organisation_id: UUID,
    text: str,
    vector: Sequence[float] | None,
    calls: list[RecordedCall],
) -> None:
    """The vector first: somebody may be waiting for it."""
    if vector is not None:
        keep_vector(space, organisation_id, text, vector)
    keep(calls, [])


def known_vector(organisation_id: UUID, text: str) -> QueryVector:
    """What ``query_vector`` has found before; words alone where it has not. Asks no model: one
    query and one look into the cache, quick enough for what is searched as one types."""
    space = active_space()
    if space is None:
        return QueryVector(degraded=NO_EMBEDDER)
    vector = cached_vector(space, organisation_id, text)
    return QueryVector(space.pk, vector) if vector else QueryVector(degraded=UNAVAILABLE)


def cached_vector(
    space: EmbeddingSpace, organisation_id: UUID, text: str
) -> tuple[float, ...] | None:
    try:
        raw = caches["vectors"].get(cache_key(space.pk, organisation_id, text))
    except (RedisError, OSError):
        return None
    if raw is None or len(raw) != 2 * space.dimensions:
        return None
    return struct.unpack(f"<{space.dimensions}e", raw)


def keep_vector(
    space: EmbeddingSpace, organisation_id: UUID, text: str, vector: Sequence[float]
) -> None:
    """Half precision, as the stored vectors are."""
    try:
        raw = struct.pack(f"<{len(vector)}e", *vector)
        caches["vectors"].set(cache_key(space.pk, organisation_id, text), raw, SECONDS)
    except (RedisError, OSError, OverflowError):
        logger.info("a query's vector is not cached")


def ask_question(space: EmbeddingSpace, organisation_id: UUID, text: str) -> str | None:
    """Put a question where a worker finds it for some seconds; the key, None without a cache."""
    key = cache_key(space.pk, organisation_id, text)
    try:
        caches["vectors"].set(f"asked:{key}", embedded(text), ASKED_SECONDS)
    except (RedisError, OSError):
        return None
    return key


def asked_question(key: str) -> str:
    """What was asked under this key; empty once nobody waits for it any more."""
    try:
        return str(caches["vectors"].get(f"asked:{key}") or "")
    except (RedisError, OSError):
        return ""
