"""The work pool: enqueue, claim, keep alive, settle, cancel.

Every write about running work asks for the token of its attempt, so a worker that lost its lease
changes nothing. Times are the database's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from one_project.accounts.models import Organisation
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.ids import new_id
from one_project.workflows.bell import ring_on_commit, tell_to_stop_on_commit
from one_project.workflows.conf import (
    CANCELED_TOLD,
    DEFAULT_POOL,
    MAX_ARGUMENTS,
    RETENTION_DAYS,
)
from one_project.workflows.definitions import Step, declared_parallelism
from one_project.workflows.models import Completion, Pool, WorkItem
from one_project.workflows.sizes import checked_size
from one_project.workflows.types import POOL_RETRY, Claimed, Kind, Retry, Status

YEAR = timedelta(days=365)
NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWork:
    """One call for ``enqueue_many``."""

    step: Step[..., Any]
    arguments: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    context: Any = None


def enqueue(
    step: Step[..., Any],
    *args: Any,
    organisation: Organisation | None = None,
    organisation_id: UUID | None = None,
    key: str | None = None,
    on_complete: Step[..., Any] | None = None,
    context: Any = None,
    **kwargs: Any,
) -> WorkItem:
    """Have ``step`` called by a worker, in the caller's transaction; returns its row.

    Options come from the step: ``step.options(pool=, retry=, run_after=, run_at=, priority=,
    timeout=)``. A ``key`` makes it once per organisation and step: the same key again returns the
    first row. ``on_complete(result, context)`` is a transaction step. Raises InvalidData, TooLarge.
    """
    owner = organisation.pk if organisation else organisation_id
    item = _new_item(step, step.signature.dump(args, kwargs), owner, key)
    _promise(item, on_complete, context)
    if key is None:
        item.save(force_insert=True)
    else:
        item = _once(item)
    if item.status == Status.READY:
        ring_on_commit()
    return item


def _once(item: WorkItem) -> WorkItem:
    """The row of this key: the first one, if there has been one."""
    if found := _of_key(item):
        return found
    try:
        with transaction.atomic():
            item.save(force_insert=True)
    except IntegrityError:
        if found := _of_key(item):
            return found
        raise
    return item


def enqueue_many(
    calls: Sequence[NewWork],
    *,
    organisation: Organisation | None = None,
    on_complete: Step[..., Any] | None = None,
) -> list[WorkItem]:
    """As ``enqueue``, for many at once; rows in the order of the calls, all of them or none."""
    items = []
    for call in calls:
        arguments = call.step.signature.dump((), call.arguments)
        owner = organisation.pk if organisation else None
        item = _new_item(call.step, arguments, owner, call.key)
        _promise(item, on_complete, call.context)
        items.append(item)
    with transaction.atomic():
        plain = [item for item in items if item.key is None]
        WorkItem.objects.bulk_create(plain, batch_size=500)
        made = [item if item.key is None else _once(item) for item in items]
        if made:
            ring_on_commit()
    return made


def _new_item(
    step: Step[..., Any],
    arguments: dict[str, Any],
    organisation_id: UUID | None,
    key: str | None,
) -> WorkItem:
    if step.kind not in {Kind.ACTION, Kind.TRANSACTION}:
        raise InvalidInput("Only actions and transactions can be enqueued.")
    checked_size(arguments, MAX_ARGUMENTS, f"The arguments of {step.name}")
    options = step.call_options
    retry = POOL_RETRY if options.retry is True else Retry.of(options.retry)
    due = due_at(options.run_after, options.run_at)
    return WorkItem(
        organisation_id=organisation_id,
        kind=step.kind,
        name=options.name or step.name.rsplit(".", 1)[-1],
        function=step.name,
        arguments=arguments,
        key=key,
        pool=options.pool or DEFAULT_POOL,
        priority=options.priority or 0,
        status=Status.WAITING if due else Status.READY,
        poke_at=due,
        retry=retry.to_json() if retry else None,
        timeout=options.timeout,
        lease=step.lease,
    )


def _promise(item: WorkItem, on_complete: Step[..., Any] | None, context: Any) -> None:
    if on_complete is not None:
        if on_complete.kind != Kind.TRANSACTION:
            raise InvalidInput("on_complete is a step of kind transaction.")
        checked_size(context, MAX_ARGUMENTS, "The context")
        item.on_complete, item.context = on_complete.name, context


def _of_key(item: WorkItem) -> WorkItem | None:
    return WorkItem.objects.filter(
        organisation=item.organisation_id, function=item.function, key=item.key
    ).first()


def due_at(
    after: float | timedelta | None, at: datetime | None, now: datetime | None = None
) -> datetime | None:
    """The moment in the future, or None for now (at most four years ahead)."""
    now = now or timezone.now()
    if at is None and after is None:
        return None
    if at is None:
        at = now + (after if isinstance(after, timedelta) else timedelta(seconds=after or 0))
    if timezone.is_naive(at):
        raise InvalidInput("run_at needs a time zone.")
    if at > now + 4 * YEAR:
        raise InvalidInput("Work can be put off for at most four years.")
    return at if at > now else None


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


def cancel_work(item: WorkItem) -> bool:
    """Cancel it: what has not begun never does, what runs is told; False when it has ended.

    The end is recorded at once, whatever a running worker still does (WP-8).
    """
    from one_project.workflows.services.completion import completed

    with transaction.atomic():
        row = WorkItem.objects.select_for_update().filter(pk=item.pk).first()
        if row is None or not row.is_open:
            return False
        if row.run_id is not None:
            raise Conflict("This is a step of a workflow. Please cancel the workflow.")
        if row.status == Status.RUNNING:
            tell_to_stop_on_commit(row.pk)
        row.status, row.finished_at = Status.CANCELED, timezone.now()
        row.token, row.poke_at = None, None
        row.cancel_requested_at = row.finished_at
        row.purge_at = row.finished_at + timedelta(days=RETENTION_DAYS)
        row.save()
        completed(row)
    return True


def ask_to_stop(item_id: UUID) -> bool:
    """Cancel what is not running, now (True); ask what runs to come to an end by itself (False).

    Unlike ``cancel_work`` this leaves the last word to a function that runs, and calls no
    ``on_complete`` for one that does not: the caller does what is to be done then.
    """
    with transaction.atomic():
        row = WorkItem.objects.select_for_update().filter(pk=item_id).first()
        if row is None or not row.is_open:
            return True
        now = timezone.now()
        row.cancel_requested_at = now
        if row.status == Status.RUNNING:
            row.save(update_fields=["cancel_requested_at"])
            tell_to_stop_on_commit(row.pk)
            return False
        row.status, row.finished_at, row.poke_at = Status.CANCELED, now, None
        row.completion = Completion.DONE if row.on_complete else Completion.NONE
        row.purge_at = now + timedelta(days=RETENTION_DAYS)
        row.save()
        return True


def cancel_all_work(*, pool: str, organisation: Organisation | None = None) -> int:
    """Cancel what is open in the pool now (of one organisation); not what comes later (WP-9)."""
    before = new_id()
    canceled = 0
    while True:
        rows = WorkItem.objects.open().filter(Q(pool=pool, pk__lt=before, run=None))
        if organisation is not None:
            rows = rows.filter(organisation=organisation)
        batch = list(rows.order_by("-pk")[:CANCELED_TOLD])
        if not batch:
            return canceled
        canceled += sum(cancel_work(item) for item in batch)
