"""The vector of a query for a web process, which asks a worker and waits for a moment."""

import time
from typing import Final
from uuid import UUID

from django.db import connection

from agents_app.runtime.recorded_embeddings import asked_by
from agents_app.search.query_vectors import (
    NO_EMBEDDER,
    UNAVAILABLE,
    QueryVector,
    ask_question,
    asked_question,
    cached_vector,
    query_vector,
)
from agents_app.search.spaces import active_space, model_of
from one_project.common.database import in_thread
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.services.work import enqueue

# Somebody waits for it; texts being embedded must not be in its way.
POOL = declare_pool("queries", 4)
PATIENCE: Final = 2.0  # seconds
LOOK_EVERY: Final = 0.02
# The same question within these seconds is one piece of work.
ONCE_IN: Final = 5


@step(name="agents_app.embed_query", pool=POOL, timeout=20.0)
async def embed_query(organisation_id: UUID, key: str, user_id: UUID | None = None) -> None:
    """Find the vector of the question asked under ``key`` and leave it in the cache.

    Nothing where it was asked too long ago: nobody waits for it, whatever has piled up.
    """
    if text := await in_thread(asked_question, key):
        await query_vector(organisation_id, text, caller=asked_by(organisation_id, user_id))


def wait_for_vector(organisation_id: UUID, text: str, user_id: UUID | None = None) -> QueryVector:
    """The query's vector, for two seconds at most; words alone after that, and at once where the
    cache is away. Holds no connection to the database while it waits.

    ``user_id``: who asks, and pays where nobody has asked the same just before.
    """
    space = active_space()
    if space is None or model_of(space) is None:
        return QueryVector(degraded=NO_EMBEDDER)
    if not text.strip():
        return QueryVector()
    if found := cached_vector(space, organisation_id, text):
        return QueryVector(space.pk, found)
    key = ask_question(space, organisation_id, text)
    if key is None:
        return QueryVector(degraded=UNAVAILABLE)
    once = f"{key}:{int(time.time() // ONCE_IN)}"
    enqueue(embed_query, organisation_id, key, user_id, organisation_id=organisation_id, key=once)
    if not connection.in_atomic_block:
        connection.close()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
        if found := cached_vector(space, organisation_id, text):
            return QueryVector(space.pk, found)
    return QueryVector(degraded=UNAVAILABLE)
