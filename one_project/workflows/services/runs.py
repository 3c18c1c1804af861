"""What people and programs do with runs: start, cancel, pause, resume, restart, send, clean up."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from one_project.accounts.models import Organisation, User
from one_project.common.errors import InvalidInput
from one_project.workflows.bell import ring_run_on_commit
from one_project.workflows.conf import MAX_ARGUMENTS
from one_project.workflows.definitions import Step, Workflow, dump_as
from one_project.workflows.errors import (
    WorkflowFinished,
    WorkflowNotFound,
    WorkflowRunning,
)
from one_project.workflows.models import RunStatus, WorkflowEvent, WorkflowRun, WorkItem
from one_project.workflows.services.advance import consume_event
from one_project.workflows.services.cache import forget
from one_project.workflows.services.ending import end_run
from one_project.workflows.sizes import checked_size
from one_project.workflows.types import Kind, Status


def start(
    workflow: Workflow[..., Any],
    *args: Any,
    organisation: Organisation | None = None,
    started_by: User | None = None,
    key: str | None = None,
    on_complete: Step[..., Any] | None = None,
    context: Any = None,
    priority: int = 0,
    **kwargs: Any,
) -> WorkflowRun:
    """Start a run in the caller's transaction; a worker begins it right after the commit.

    The same ``key`` again (of one workflow and organisation) returns the first run.
    ``on_complete(result, context)`` is a transaction step, called exactly once at the end. Raises
    InvalidData and TooLarge.
    """
    run = _new_run(workflow, workflow.signature.dump(args, kwargs), organisation)
    run.started_by, run.key, run.priority = started_by, key, priority
    if on_complete is not None:
        if on_complete.kind != Kind.TRANSACTION:
            raise InvalidInput("on_complete is a step of kind transaction.")
        checked_size(context, MAX_ARGUMENTS, "The context")
        run.on_complete, run.context = on_complete.name, context
    if key is not None and (found := _of_key(run)):
        return found
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError:
        if found := _of_key(run):
            return found
        raise
    ring_run_on_commit(run.pk)
    return run


def start_child(parent: WorkflowRun, step: WorkItem, workflow: Workflow[..., Any]) -> WorkflowRun:
    """The run behind a step of kind workflow; it belongs to whoever the parent belongs to."""
    run = _new_run(workflow, step.arguments, None)
    run.organisation_id, run.started_by_id = parent.organisation_id, parent.started_by_id
    run.parent_step, run.priority = step, parent.priority
    run.save(force_insert=True)
    ring_run_on_commit(run.pk)
    return run


def _new_run(
    workflow: Workflow[..., Any], arguments: dict[str, Any], organisation: Organisation | None
) -> WorkflowRun:
    size = checked_size(arguments, MAX_ARGUMENTS, f"The arguments of {workflow.name}")
    now = timezone.now()
    return WorkflowRun(
        organisation=organisation,
        workflow=workflow.name,
        version=workflow.version,
        arguments=arguments,
        journal_bytes=size,
        poke_at=now,
        deadline=now + timedelta(seconds=workflow.timeout) if workflow.timeout else None,
    )


def _of_key(run: WorkflowRun) -> WorkflowRun | None:
    return WorkflowRun.objects.filter(
        organisation=run.organisation, workflow=run.workflow, key=run.key
    ).first()


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
    """Begin nothing more until it is resumed; what runs ends and is recorded."""
    return _switch(run, RunStatus.PAUSED)


def resume_run(run: WorkflowRun) -> WorkflowRun:
    """Go on where it was paused."""
    return _switch(run, RunStatus.RUNNING)


def _switch(run: WorkflowRun, status: RunStatus) -> WorkflowRun:
    with transaction.atomic():
        locked = _locked(run)
        if not locked.is_open:
            raise WorkflowFinished
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
        if step is not None:
            _cut_journal(locked, _step_number(locked, step))
        locked.status, locked.result, locked.error = RunStatus.RUNNING, None, None
        locked.completion, locked.completion_tries, locked.completion_error = "", 0, ""
        locked.finished_at = locked.purge_at = locked.deadline = None
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


def _cut_journal(run: WorkflowRun, number: int) -> None:
    # Steps that were canceled at the end of the run would be canceled for ever.
    steps = WorkItem.objects.filter(run=run)
    cut = steps.filter(n__gte=number) | steps.filter(status=Status.CANCELED, settled_seq=None)
    WorkflowEvent.objects.filter(run=run, step__in=cut).delete()
    cut.delete()


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
    found = list(runs.values_list("pk", flat=True)[:limit])
    for run_id in found:
        with transaction.atomic():
            _delete(run_id)
    work = WorkItem.objects.final().filter(purge_at__lte=now, run=None)
    gone, _ = WorkItem.objects.filter(
        pk__in=list(work.values_list("pk", flat=True)[:limit])
    ).delete()
    return len(found) + gone
