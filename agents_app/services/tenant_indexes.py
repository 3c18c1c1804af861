"""The partial index over the vectors of one tenant, once comparing all of them takes too long.

Built by the role that owns the tables, beside everything else that goes on (``CONCURRENTLY``), as a
piece of work. One that was not finished is taken away and built anew.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.db import DatabaseError, connection, connections
from django.db.backends.utils import CursorWrapper
from django.db.models import Sum
from django.utils import timezone

from agents_app.models import Collection, EmbeddingSpace, SpaceState
from agents_app.search.large import EXACT, VECTORS, has_tenant_index, index_name
from agents_app.services.spaces import owner_alias
from one_project.accounts.models import Organisation
from one_project.common.tenancy import in_tenant
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

# One at a time: a build takes a core and much memory.
POOL = declare_pool("indexes", 1)
TIMEOUT: Final = "30min"  # of a build; it also waits for transactions of others
MEMORY: Final = "512MB"
LIVE: Final = (SpaceState.BUILDING, SpaceState.ACTIVE)


def request_tenant_index(space_id: int, organisation_id: UUID) -> None:
    """Have it built, in the caller's transaction; nothing where it is there."""
    if not has_tenant_index(space_id, organisation_id):
        # Once a day: a build that fails four times will not succeed at once.
        key = f"{index_name(space_id, organisation_id)}:{timezone.now():%Y-%m-%d}"
        enqueue(build_index, space_id, organisation_id, organisation_id=organisation_id, key=key)


@step(
    name="agents_app.build_tenant_index",
    pool=POOL,
    timeout=2000.0,
    retry=Retry(attempts=4, initial=60.0, base=4.0),
)
async def build_index(space_id: int, organisation_id: UUID) -> bool:
    """Whether one was built. Raises DatabaseError."""
    # In a thread of its own: it takes minutes, and those for the database are few.
    return await asyncio.to_thread(_build, space_id, organisation_id)


def _build(space_id: int, organisation_id: UUID) -> bool:
    try:
        space = EmbeddingSpace.objects.filter(pk=space_id, state__in=LIVE).first()
        return space is not None and build_tenant_index(space, organisation_id)
    finally:
        connections.close_all()


def build_tenant_index(space: EmbeddingSpace, organisation_id: UUID) -> bool:
    """Build the tenant's index in a space; False where it is there. Not within a transaction.

    Raises DatabaseError when it cannot be finished; searches then go on comparing all vectors.
    """
    name = index_name(space.pk, organisation_id)
    if has_tenant_index(space.pk, organisation_id):
        return False
    with _owner() as cursor:
        # What an interrupted build has left is kept up to date by every write and used by none.
        cursor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
        try:
            cursor.execute(
                f"""
                CREATE INDEX CONCURRENTLY "{name}" ON "{VECTORS}_{space.pk}"
                USING hnsw ((v::halfvec({space.dimensions})) halfvec_cosine_ops)
                WITH (m = 16, ef_construction = 64)
                WHERE organisation_id = '{organisation_id}'::uuid
                """
            )
        except DatabaseError:
            cursor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
            raise
    return True


def drop_tenant_index(space: EmbeddingSpace, organisation_id: UUID) -> None:
    """Take it away; nothing where there is none. Not within a transaction."""
    with _owner() as cursor:
        cursor.execute(
            f'DROP INDEX CONCURRENTLY IF EXISTS "{index_name(space.pk, organisation_id)}"'
        )


def sweep_tenant_indexes(threshold: int = EXACT) -> int:
    """Request the indexes that are missing, drop those of tenants with less than half the
    threshold of passages; returns how many were requested."""
    spaces = list(EmbeddingSpace.objects.filter(state__in=LIVE))
    requested = 0
    for organisation_id in Organisation.objects.order_by("pk").values_list("pk", flat=True):
        with in_tenant(organisation_id):
            rows = Collection.objects.filter(organisation=organisation_id)
            passages = rows.aggregate(all=Sum("chunk_count"))["all"] or 0
        for space in spaces:
            has_one = has_tenant_index(space.pk, organisation_id)
            if passages > threshold and not has_one:
                request_tenant_index(space.pk, organisation_id)
                requested += 1
            elif has_one and passages < threshold // 2:
                drop_tenant_index(space, organisation_id)
    return requested


@contextmanager
def _owner() -> Iterator[CursorWrapper]:
    """A cursor of the owner's, outside of transactions, whose settings end with it."""
    owner = connections[owner_alias()]
    if owner.in_atomic_block:
        raise RuntimeError("An index cannot be built within a transaction.")
    settings = {"statement_timeout": TIMEOUT, "maintenance_work_mem": MEMORY}
    with owner.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
        try:
            yield cursor
        finally:
            if owner.is_usable():
                for name in settings:
                    cursor.execute(f"RESET {name}")
            if owner is not connection:
                owner.close()
