"""The end of a run, and of what it leaves open."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from one_project.workflows.bell import ring_run_on_commit, tell_to_stop_on_commit
from one_project.workflows.conf import RETENTION_DAYS
from one_project.workflows.definitions import find_workflow
from one_project.workflows.errors import UnknownDefinition
from one_project.workflows.models import RunStatus, WorkflowRun, WorkItem
from one_project.workflows.models.work import WorkItemQuerySet
from one_project.workflows.services.cache import forget
from one_project.workflows.services.completion import completed
from one_project.workflows.types import Failure, Kind, Status

NEVER = 0
"""``settled_seq`` of a step whose run had ended before it was given the result."""


def end_run(
    run: WorkflowRun, status: RunStatus, *, result: Any = None, failure: Failure | None = None
) -> None:
    """Mark the locked run as ended, cancel what it leaves open, tell its parent or its starter."""
    now = timezone.now()
    run.status, run.result = status, result
    run.error = failure.to_json() if failure else None
    run.finished_at, run.poke_at, run.pokes = now, None, 0
    run.generation += 1
    days = _retention(run)
    run.purge_at = now + timedelta(days=days) if days is not None else None
    run.save()
    cancel_steps(WorkItem.objects.open().filter(run=run))
    # What the function was not given any more is nothing the sweep should look for.
    WorkItem.objects.filter(run=run, settled_seq=None).update(settled_seq=NEVER)
    forget(run.pk)
    if run.parent_step_id is not None:
        _tell_parent(run)
    completed(run)


def cancel_steps(steps: WorkItemQuerySet) -> list[WorkItem]:
    """Cancel these open steps: what runs is told, children are canceled with them.

    Children first: one that ends by itself has its own row locked and then writes its step.
    """
    children = WorkflowRun.objects.open().filter(parent_step__in=steps.filter(kind=Kind.WORKFLOW))
    for child in children.select_for_update(of=("self",)).order_by("pk"):
        end_run(child, RunStatus.CANCELED)
    now = timezone.now()
    rows = list(steps.select_for_update(of=("self",)).order_by("n"))
    for row in rows:
        if row.status == Status.RUNNING:
            tell_to_stop_on_commit(row.pk)
            row.cancel_requested_at = now
        row.status, row.finished_at = Status.CANCELED, now
        row.token, row.poke_at = None, None
    fields = ["status", "finished_at", "token", "poke_at", "cancel_requested_at"]
    WorkItem.objects.bulk_update(rows, fields, batch_size=500)
    return rows


def _tell_parent(run: WorkflowRun) -> None:
    step = WorkItem.objects.filter(pk=run.parent_step_id or run.pk)
    parent_id = step.values_list("run_id", flat=True).first()
    ended = step.open()
    succeeded = run.status == RunStatus.SUCCESS
    status = Status.SUCCESS if succeeded else Status.ERROR
    if run.status == RunStatus.CANCELED:
        status = Status.CANCELED
    error = run.error
    if error is not None:
        error = {**error, "message": error.get("message", ""), "traceback": ""}
    changed = ended.update(
        status=status, result=run.result, error=error, finished_at=timezone.now(), poke_at=None
    )
    if changed and parent_id is not None:
        ring_run_on_commit(parent_id)


def _retention(run: WorkflowRun) -> float | None:
    try:
        return find_workflow(run.workflow, run.version).retention_days
    except UnknownDefinition:
        return RETENTION_DAYS
