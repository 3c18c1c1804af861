"""What people and programs do with runs: start, cancel, pause, resume, restart, send, clean up."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from one_project.common.errors import InvalidInput
from one_project.workflows.bell import ring_run_on_commit
from one_project.workflows.conf import MAX_ARGUMENTS
from one_project.workflows.definitions import dump_as, find_workflow
from one_project.workflows.errors import (
    WorkflowFinished,
    WorkflowNotFound,
    WorkflowRunning,
)
from one_project.workflows.models import Completion, RunStatus, WorkflowEvent, WorkflowRun, WorkItem
from one_project.workflows.services.cache import forget
from one_project.workflows.services.ending import NEVER, end_run
from one_project.workflows.services.starting import deadline_of, start
from one_project.workflows.services.steps import consume_event
from one_project.workflows.sizes import checked_size, size_of
from one_project.workflows.types import Kind, Status


def _locked(run: WorkflowRun) -> WorkflowRun:
    found = WorkflowRun.objects.select_for_update(of=("self",)).filter(pk=run.pk).first()
    if found is None:
        raise WorkflowNotFound
    return found


def cancel_run(run: WorkflowRun) -> WorkflowRun:
    """End it as canceled, its children too; running actions are told. Raises WorkflowFinished."""
    with transaction.atomic():
        locked = _locked(run)
        if not locked.is_open:
            raise WorkflowFinished
        end_run(locked, RunStatus.CANCELED)
    return locked


def pause_run(run: WorkflowRun) -> WorkflowRun:
    """Begin nothing more until it is resumed; what runs already ends and is recorded."""
    return _switch(run, RunStatus.PAUSED)


def resume_run(run: WorkflowRun) -> WorkflowRun:
    """Go on where it was paused."""
    return _switch(run, RunStatus.RUNNING)


def _switch(run: WorkflowRun, status: RunStatus) -> WorkflowRun:
    with transaction.atomic():
        locked = _locked(run)
        if not locked.is_open:
            raise WorkflowFinished
        if status == RunStatus.PAUSED:
            # Due at once, as soon as the run goes on.
            held = WorkItem.objects.filter(run=locked, status=Status.READY)
            held.update(status=Status.WAITING, poke_at=timezone.now())
        if locked.status != status:
            locked.status = status
            locked.generation += 1
            locked.poke_at = timezone.now() if status == RunStatus.RUNNING else None
            locked.save()
            forget(locked.pk)
        if status == RunStatus.RUNNING:
            ring_run_on_commit(locked.pk)
    return locked


def restart_run(run: WorkflowRun, *, step: int | str | None = None) -> WorkflowRun:
    """Run an ended run again, from a step on: its number, or the last one of that name.

    That step, all later ones, their children and the events are deleted; earlier results are kept.
    Without ``step`` the whole journal is kept and replayed, so that a failed step fails again.
    Raises WorkflowRunning, and InvalidInput for a step that is not there (WF-21).
    """
    with transaction.atomic():
        locked = _locked(run)
        if locked.is_open:
            raise WorkflowRunning
        _cut_journal(locked, None if step is None else _step_number(locked, step))
        locked.status, locked.result, locked.error = RunStatus.RUNNING, None, None
        locked.completion, locked.completion_tries, locked.completion_error = "", 0, ""
        locked.finished_at = locked.purge_at = None
        locked.deadline = deadline_of(find_workflow(locked.workflow, locked.version))
        locked.journal_bytes = _journal_bytes(locked)
        locked.generation += 1
        locked.pokes, locked.poke_at = 0, timezone.now()
        locked.save()
        forget(locked.pk)
        ring_run_on_commit(locked.pk)
    return locked


def _step_number(run: WorkflowRun, step: int | str) -> int:
    if isinstance(step, str):
        found = WorkItem.objects.filter(run=run, name=step).order_by("-n").first()
        found = found or WorkItem.objects.filter(run=run, function=step).order_by("-n").first()
        if found is None or found.n is None:
            raise InvalidInput(f"This run has no step {step}.")
        return found.n
    if step < 0:
        raise InvalidInput("Steps are numbered from 0.")
    return step


def _cut_journal(run: WorkflowRun, number: int | None) -> None:
    steps = WorkItem.objects.filter(run=run)
    # What was canceled with the run is begun again; results that came too late are given now.
    gone = Q(status=Status.CANCELED, settled_seq=NEVER)
    cut = steps.filter(gone if number is None else gone | Q(n__gte=number))
    WorkflowEvent.objects.filter(run=run, step__in=cut).delete()
    cut.delete()
    steps.filter(settled_seq=NEVER).update(settled_seq=None)


def _journal_bytes(run: WorkflowRun) -> int:
    rows = WorkItem.objects.filter(run=run).values_list("arguments", "result")
    sizes = (size_of(arguments) + size_of(result) for arguments, result in rows.iterator(200))
    return size_of(run.arguments) + sum(sizes)


def send_event(
    run: WorkflowRun,
    name: str,
    payload: Any = None,
    *,
    key: str | None = None,
    error: str = "",
) -> WorkflowEvent:
    """Send the run an event, before or after it waits for it; each is consumed once, in order.

    The same ``key`` again returns the first. ``error`` is raised where the event is awaited.
    Raises WorkflowFinished, InvalidData, TooLarge.
    """
    payload = dump_as(Any, payload, f"the event {name}")
    checked_size(payload, MAX_ARGUMENTS, f"The event {name}")
    if not name or len(name) > 200:
        raise InvalidInput("An event needs a name of at most 200 characters.")
    with transaction.atomic():
        locked = _locked(run)
        events = WorkflowEvent.objects.filter(run=locked, name=name)
        if key is not None and (found := events.filter(key=key).first()):
            return found
        if not locked.is_open:
            raise WorkflowFinished
        event = WorkflowEvent.objects.create(
            run=locked, name=name, key=key, payload=payload, error=error
        )
        waiting = WorkItem.objects.filter(
            run=locked, kind=Kind.EVENT, name=name, status=Status.WAITING
        )
        step = waiting.select_for_update().order_by("n").first()
        if step is not None and consume_event(locked, step):
            event.refresh_from_db()
            ring_run_on_commit(locked.pk)
    return event


def clean_up(run: WorkflowRun, *, force: bool = False) -> bool:
    """Delete an ended run with all that hangs on it; False when it is gone or still runs (WF-22).

    ``force`` cancels it first.
    """
    try:
        with transaction.atomic():
            locked = _locked(run)
            if locked.is_open:
                if not force:
                    return False
                end_run(locked, RunStatus.CANCELED)
            _delete(locked.pk)
    except WorkflowNotFound:
        return False
    return True


def _delete(run_id: UUID) -> None:
    for child in WorkflowRun.objects.filter(parent_step__run=run_id).values_list("pk", flat=True):
        _delete(child)
    WorkflowRun.objects.filter(pk=run_id).delete()


def purge(limit: int = 200) -> int:
    """Delete ended runs and work whose retention is over; returns how many."""
    now = timezone.now()
    runs = WorkflowRun.objects.finished().filter(purge_at__lte=now, parent_step=None)
    runs = runs.exclude(completion=Completion.PENDING)
    found = list(runs.values_list("pk", flat=True)[:limit])
    for run_id in found:
        with transaction.atomic():
            _delete(run_id)
    work = WorkItem.objects.final().filter(purge_at__lte=now, run=None)
    work = work.exclude(completion=Completion.PENDING)
    gone, _ = WorkItem.objects.filter(
        pk__in=list(work.values_list("pk", flat=True)[:limit])
    ).delete()
    return len(found) + gone


__all__ = [
    "cancel_run",
    "clean_up",
    "pause_run",
    "purge",
    "restart_run",
    "resume_run",
    "send_event",
    "start",
]
