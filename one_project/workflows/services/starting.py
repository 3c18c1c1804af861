"""Beginning runs: by whoever asks, and as children of other runs."""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from one_project.accounts.models import Organisation, User
from one_project.common.errors import InvalidInput
from one_project.workflows.bell import ring_run_on_commit
from one_project.workflows.conf import MAX_ARGUMENTS
from one_project.workflows.definitions import Step, Workflow
from one_project.workflows.models import WorkflowRun, WorkItem
from one_project.workflows.sizes import checked_size
from one_project.workflows.types import Kind


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
        deadline=deadline_of(workflow),
    )


def deadline_of(workflow: Workflow[..., Any]) -> datetime | None:
    """When a run that begins now is ended; None where it may last for ever."""
    return timezone.now() + timedelta(seconds=workflow.timeout) if workflow.timeout else None


def _of_key(run: WorkflowRun) -> WorkflowRun | None:
    return WorkflowRun.objects.filter(
        organisation=run.organisation, workflow=run.workflow, key=run.key
    ).first()
