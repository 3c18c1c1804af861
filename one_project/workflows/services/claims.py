"""The work pool for those who work: claim, keep alive, give back.

Every write about running work asks for the token of its attempt, so a worker that lost its lease
changes nothing. Times are the database's.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction

from one_project.workflows.bell import ring_on_commit
from one_project.workflows.definitions import declared_parallelism
from one_project.workflows.models import Pool
from one_project.workflows.types import Claimed

NO_LIMIT = 1_000_000

# The count of what runs comes after the lock, in a statement of its own: within one, a worker that
# had to wait for the lock would count what ran before it waited.
_LOCK = "SELECT parallelism FROM workflows_pool WHERE name = %s FOR UPDATE"

# The organisations that have work, one index step each; the best of each; those with the least
# running and taken first. The rows are locked at the end, where another worker may be faster.
_CLAIM = """
    WITH RECURSIVE free AS (
        SELECT greatest(least(%(room)s, %(parallelism)s - count(*)), 0) AS room
          FROM workflows_workitem WHERE pool = %(pool)s AND status = 'running'
    ), tenants AS (
        (SELECT organisation_id FROM workflows_workitem
          WHERE pool = %(pool)s AND status = 'ready'
          ORDER BY organisation_id NULLS LAST LIMIT 1)
        UNION ALL
        SELECT (SELECT organisation_id FROM workflows_workitem
                 WHERE pool = %(pool)s AND status = 'ready'
                   AND (organisation_id > tenants.organisation_id OR organisation_id IS NULL)
                 ORDER BY organisation_id NULLS LAST LIMIT 1)
          FROM tenants WHERE tenants.organisation_id IS NOT NULL
    ), candidates AS (
        SELECT best.id, best.priority,
               row_number() OVER (PARTITION BY tenants.organisation_id
                                  ORDER BY best.priority DESC, best.id)
               + (SELECT count(*) FROM workflows_workitem AS busy
                   WHERE busy.pool = %(pool)s AND busy.status = 'running'
                     AND busy.organisation_id IS NOT DISTINCT FROM tenants.organisation_id)
               AS share
          FROM tenants, LATERAL (
            SELECT id, priority FROM workflows_workitem
             WHERE pool = %(pool)s AND status = 'ready'
               AND organisation_id IS NOT DISTINCT FROM tenants.organisation_id
               AND function = ANY(%(known)s)
             ORDER BY priority DESC, id LIMIT (SELECT room FROM free)) AS best
    ), chosen AS (
        SELECT id FROM workflows_workitem
         WHERE id IN (SELECT id FROM candidates ORDER BY priority DESC, share, id
                      LIMIT (SELECT room FROM free))
           AND status = 'ready'
           FOR UPDATE SKIP LOCKED
    )
    UPDATE workflows_workitem AS item
       SET status = 'running', attempt = attempt + 1, pickups = pickups + 1,
           token = gen_random_uuid(), worker = %(worker)s,
           started_at = COALESCE(started_at, now()), cancel_requested_at = NULL,
           poke_at = clock_timestamp() + item.lease * interval '1 second'
      FROM chosen WHERE item.id = chosen.id
 RETURNING item.id, item.token, item.function, item.kind, item.arguments, item.attempt,
           item.lease, item.timeout, item.retry, item.run_id, item.organisation_id, item.name
"""

_CLAIMED = (
    "id", "token", "function", "kind", "arguments", "attempt", "lease", "timeout", "retry",
    "run_id", "organisation_id", "name",
)  # fmt: skip


def claim(pool: str, *, worker: str, room: int, known: Sequence[str]) -> list[Claimed]:
    """Take up to ``room`` ready pieces of work of the pool, within its parallelism.

    By priority; among equals the organisation that has the least running comes first.
    ``known`` are the functions this process has.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        parallelism = lock_pool(pool)
        if room <= 0 or parallelism == 0:
            return []
        values: dict[str, Any] = {"pool": pool, "room": room, "known": list(known)}
        values["parallelism"] = NO_LIMIT if parallelism is None else parallelism
        cursor.execute(_CLAIM, {**values, "worker": worker})
        return [claimed_row(row) for row in cursor.fetchall()]


def lock_pool(pool: str) -> int | None:
    """Nobody else takes work of the pool until this transaction ends; its parallelism."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [pool])
        found = cursor.fetchone()
        if found is None:
            parallelism = declared_parallelism(pool)
            Pool.objects.get_or_create(name=pool, defaults={"parallelism": parallelism})
            cursor.execute(_LOCK, [pool])
            found = cursor.fetchone()
    return None if found[0] is None else int(found[0])


def claimed_row(row: Sequence[Any]) -> Claimed:
    """A row of ``_CLAIMED`` columns, its JSON decoded."""
    values = dict(zip(_CLAIMED, row, strict=True))
    for name in ("arguments", "retry"):
        if isinstance(values[name], str):
            values[name] = orjson.loads(values[name])
    return Claimed(**values)


def pools_with_work() -> list[str]:
    """Names of the pools in which something is ready."""
    with connection.cursor() as cursor:
        cursor.execute("""
            WITH RECURSIVE pools AS (
                (SELECT pool FROM workflows_workitem WHERE status = 'ready'
                  ORDER BY pool LIMIT 1)
                UNION ALL
                SELECT (SELECT pool FROM workflows_workitem
                         WHERE status = 'ready' AND pool > pools.pool ORDER BY pool LIMIT 1)
                  FROM pools WHERE pools.pool IS NOT NULL
            ) SELECT pool FROM pools WHERE pool IS NOT NULL
        """)
        return [row[0] for row in cursor.fetchall()]


_KEEP = """
    UPDATE workflows_workitem AS item
       SET poke_at = clock_timestamp() + item.lease * interval '1 second'
      FROM unnest(%s::uuid[], %s::uuid[]) AS held (id, token)
     WHERE item.id = held.id AND item.token = held.token AND item.status = 'running'
 RETURNING item.id, item.cancel_requested_at IS NOT NULL
"""


def keep_alive(held: Sequence[tuple[UUID, UUID]]) -> dict[UUID, bool]:
    """Renew the leases of (id, token); those still ours, each with whether it was canceled."""
    if not held:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [[key for key, _ in held], [token for _, token in held]])
        return dict(cursor.fetchall())


def give_back(held: Sequence[tuple[UUID, UUID]]) -> None:
    """Return work that had to be dropped at an orderly end; it counts as never begun.

    What was asked to stop is left to the end of its lease, which cancels it.
    """
    if not held:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE workflows_workitem AS item
               SET status = 'ready', attempt = greatest(attempt - 1, 0),
                   pickups = greatest(pickups - 1, 0), token = NULL, poke_at = NULL
              FROM unnest(%s::uuid[], %s::uuid[]) AS held (id, token)
             WHERE item.id = held.id AND item.token = held.token AND item.status = 'running'
               AND item.cancel_requested_at IS NULL
            """,
            [[key for key, _ in held], [token for _, token in held]],
        )
        ring_on_commit()
