"""Steps that a workflow does: started by name, completed when its run succeeds, else blocked.

Only workflows that say they may be started by flows are: a flow's author must not reach the others.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from flows_app.conf import MAX_CONTENT, MAX_NOTES
from flows_app.errors import LessonNotFound, StepLocked
from flows_app.models import (
    FlowStep,
    LessonTarget,
    Status,
    StepKind,
    StepState,
    Submission,
    SubmissionStatus,
)
from flows_app.runtime.actors import SYSTEM, Actor
from flows_app.runtime.transitions import DONE
from flows_app.services.log import lock_target, state_of
from flows_app.services.progress import find_step, update_flow_progress
from flows_app.services.reading import steps_of
from flows_app.services.review_notices import tell_reviewers
from flows_app.services.rights import may_begin
from one_project.common.errors import AppError, Conflict, InvalidInput
from one_project.common.ids import parse_id
from one_project.common.text import clean_text
from one_project.workflows.definitions import Workflow, step
from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.starting import start
from one_project.workflows.types import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowInput:
    """What a workflow that a step starts is given. ``given``: the step's own input, a JSON object.
    ``user_id``: whose step it is; None for an agent's."""

    organisation_id: UUID
    target_id: UUID
    step_key: UUID
    user_id: UUID | None = None
    given: dict[str, Any] = field(default_factory=dict)


_allowed: dict[str, tuple[Workflow[..., Any], str]] = {}


def flow_workflow(made: Workflow[..., Any], title: str) -> Workflow[..., Any]:
    """Let steps of flows start it: ``async def w(ctx, about: FlowInput)``. ``title`` is for people
    who write flows."""
    _allowed[made.name] = (made, title)
    return made


def flow_workflows() -> list[tuple[str, str]]:
    """Names and titles of those that steps may start, by title."""
    found = [(name, title) for name, (_, title) in _allowed.items()]
    return sorted(found, key=lambda one: one[1])


@transaction.atomic
def start_step_workflow(
    target: LessonTarget, step: FlowStep | UUID | str, *, by: Actor
) -> StepState:
    """Start the workflow of the step, which is In Progress by it; one that runs goes on.

    Raises LessonNotFound for whom it is no business of, InvalidInput for a workflow that steps may
    not start, StepLocked, Conflict where the step is done or its result waits for a review.
    """
    locked = lock_target(target.pk)
    found = find_step(steps_of(locked), step)
    if not may_begin(locked, by):
        raise LessonNotFound
    if found.kind != StepKind.WORKFLOW:
        raise InvalidInput("This step is not done by a workflow.")
    name = str(found.settings.get("workflow", ""))
    if name not in _allowed:
        raise InvalidInput(f"Steps may not start the workflow “{name}”. Please ask staff.")
    state = state_of(locked, found)
    if state.status in DONE:
        raise Conflict(f"This step is {state.status} already.")
    if state.status == Status.IN_PROGRESS and _runs(state):
        return state
    if Submission.objects.open().filter(target=locked, step_key=found.key).exists():
        raise Conflict("Its result is waiting for a review already.")
    if state.status != Status.IN_PROGRESS:
        state = update_flow_progress(locked, found, Status.IN_PROGRESS, by=by)
    run = start(
        _allowed[name][0],
        FlowInput(
            organisation_id=locked.organisation_id,
            target_id=locked.pk,
            step_key=found.key,
            user_id=locked.user_id,
            given=found.settings.get("input", {}),
        ),
        organisation=locked.organisation,
        started_by=by.user,
        on_complete=step_workflow_over,
        context={"target": str(locked.pk), "step": str(found.key)},
    )
    state.work = {**state.work, "run": str(run.pk)}
    state.save(update_fields=["work", "updated_at"])
    return state


def _runs(state: StepState) -> bool:
    key = parse_id(state.work.get("run"))
    run = WorkflowRun.objects.filter(pk=key).first() if key else None
    return run is not None and run.is_open


@step(name="flows.step_workflow_over", kind="transaction")
def step_workflow_over(result: Result, context: dict[str, Any]) -> None:
    """The run has ended: the step is Completed by ONE, handed in, or Blocked with what went wrong.

    A run that another one has followed, and a step that has moved on meanwhile, stay as they are.
    """
    try:
        target = lock_target(UUID(context["target"]))
        found = find_step(steps_of(target), UUID(context["step"]))
    except AppError:
        return
    state = state_of(target, found)
    if state.status != Status.IN_PROGRESS or state.work.get("run") != str(result.id):
        return
    key = f"run:{result.id}"
    if result.kind != "success":
        what = "was canceled" if result.kind == "canceled" else f"failed: {result.error}"
        reason = f"The workflow {what}"[:MAX_NOTES]
        update_flow_progress(
            target, found, Status.BLOCKED, by=SYSTEM, reason=reason, request_id=key
        )
    elif found.is_reviewed:
        _hand_in(target, found, state, _as_text(result.value))
    else:
        notes = _as_text(result.value)[:MAX_NOTES]
        try:
            update_flow_progress(
                target, found, Status.COMPLETED, by=SYSTEM, notes=notes, request_id=key
            )
        except StepLocked as error:  # staff have opened a step before it again meanwhile
            reason = f"The workflow has ended too early. {error.user_message}"
            update_flow_progress(
                target, found, Status.BLOCKED, by=SYSTEM, reason=reason, notes=notes, request_id=key
            )


def _hand_in(target: LessonTarget, step: FlowStep, state: StepState, text: str) -> None:
    rows = Submission.objects.filter(target=target, step_key=step.key)
    if rows.open().exists():
        return
    made = Submission.objects.create(
        organisation_id=target.organisation_id,
        target=target,
        step_key=step.key,
        number=(rows.aggregate(last=Max("number"))["last"] or 0) + 1,
        status=SubmissionStatus.AWAITING_REVIEW,
        state_version=state.version,
        task=f"The workflow {step.settings.get('workflow', '')}",
        draft=text[:MAX_CONTENT],
        submitted_at=timezone.now(),
    )
    tell_reviewers(made)


def _as_text(value: Any) -> str:
    """What a workflow returned, for people: its text, or JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return clean_text(text).strip()
