"""Journal rows of what workflow functions begin."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import connection
from django.utils import timezone

from one_project.workflows.conf import DEFAULT_POOL, MAX_ARGUMENTS
from one_project.workflows.definitions import find_workflow
from one_project.workflows.engine.replay import Command
from one_project.workflows.models import WorkflowEvent, WorkflowRun, WorkItem
from one_project.workflows.models.work import WorkItemQuerySet
from one_project.workflows.services.claims import NO_LIMIT, lock_pool
from one_project.workflows.services.work import due_at
from one_project.workflows.sizes import checked_size
from one_project.workflows.types import Claimed, Failure, Host, Kind, Retry, Status


def row_of(run: WorkflowRun, command: Command, now: datetime) -> WorkItem:
    """The journal row of what the function has begun. Raises TooLarge."""
    checked_size(command.arguments, MAX_ARGUMENTS, f"The arguments of step {command.name}")
    row = WorkItem(
        organisation_id=run.organisation_id,
        run=run,
        n=command.n,
        kind=command.kind,
        name=command.name,
        function=command.function,
        arguments=command.arguments,
        priority=run.priority,
        status=Status.WAITING,
        poke_at=command.until,
    )
    if command.delay is not None:
        row.poke_at = now + timedelta(seconds=command.delay)
    if command.step is not None:
        options = command.step.call_options
        default = find_workflow(run.workflow, run.version).retry
        retry = default if options.retry is None else Retry.of(options.retry)
        row.retry = retry.to_json() if retry else None
        row.timeout, row.lease = options.timeout, command.step.lease
        row.pool = options.pool or DEFAULT_POOL
        row.priority = options.priority or run.priority
        row.poke_at = due_at(options.run_after, options.run_at, now)
        if command.kind == Kind.ACTION and row.poke_at is None:
            row.status = Status.READY
    return row


def consume_event(run: WorkflowRun, step: WorkItem) -> bool:
    """Give the waiting step the oldest event of its name, if there is one (T-W12)."""
    event = WorkflowEvent.objects.filter(run=run, name=step.name, step=None).order_by("pk").first()
    if event is None:
        return False
    event.step = step
    event.save(update_fields=["step"])
    step.status = Status.ERROR if event.error else Status.SUCCESS
    step.result = event.payload
    step.error = Failure(kind="EventError", message=event.error).to_json() if event.error else None
    step.finished_at, step.poke_at = timezone.now(), None
    step.save(update_fields=["status", "result", "error", "finished_at", "poke_at"])
    return True


def release_events(steps: WorkItemQuerySet) -> list[WorkItem]:
    """Waits that are given up in the very moment their event has come: it is kept for the next."""
    rows = list(
        steps.unsettled()
        .filter(kind=Kind.EVENT, event__isnull=False)
        .select_for_update(of=("self",))
    )
    for row in rows:
        WorkflowEvent.objects.filter(step=row).update(step=None)
        row.status, row.result, row.error = Status.CANCELED, None, None
        row.save(update_fields=["status", "result", "error"])
    return rows


_BUSY = """
    SELECT (SELECT count(*) FROM workflows_workitem WHERE pool = %s AND status = 'running'),
           EXISTS (SELECT 1 FROM workflows_workitem WHERE pool = %s AND status = 'ready')
"""


def take_here(rows: Sequence[WorkItem], host: Host, now: datetime) -> list[Claimed]:
    """Claim new actions for this process before they are even written: it saves a transaction.

    Only what its pool has room for, and only where nothing else waits for the pool.
    """
    taken: list[Claimed] = []
    for pool in sorted({row.pool for row in rows}):
        ready = [row for row in rows if row.pool == pool]
        room = min(host.room() - len(taken), _room_of(pool))
        for row in ready[: max(room, 0)]:
            row.status, row.attempt, row.pickups = Status.RUNNING, 1, 1
            row.token, row.worker, row.started_at = uuid4(), host.worker, now
            row.poke_at = now + timedelta(seconds=row.lease)
            taken.append(claimed_of(row))
    return taken


def _room_of(pool: str) -> int:
    parallelism = lock_pool(pool)
    with connection.cursor() as cursor:
        cursor.execute(_BUSY, [pool, pool])
        running, others_wait = cursor.fetchone()
    if others_wait:
        return 0
    return NO_LIMIT if parallelism is None else parallelism - int(running)


def claimed_of(row: WorkItem) -> Claimed:
    """A running row as its holder sees it."""
    return Claimed(
        id=row.pk,
        token=row.token or uuid4(),
        function=row.function,
        kind=row.kind,
        arguments=row.arguments,
        attempt=row.attempt,
        lease=row.lease,
        timeout=row.timeout,
        retry=row.retry,
        run_id=row.run_id,
        organisation_id=row.organisation_id,
        name=row.name,
    )
