"""Moving a step of an assignment: the one way progress changes, for people, agents and ONE."""

from uuid import UUID

from django.db import transaction

from flows_app.conf import MAX_NOTES
from flows_app.errors import (
    FourEyes,
    IllegalTransition,
    LessonNotFound,
    NotByHand,
    StaleProgress,
    StepLocked,
    StepNotFound,
)
from flows_app.models import (
    FlowStep,
    LessonTarget,
    LogKind,
    Status,
    StepKind,
    StepState,
    Submission,
    SubmissionStatus,
)
from flows_app.runtime.actors import Actor
from flows_app.runtime.progress import waits_for, why_locked
from flows_app.runtime.rules import missing_of
from flows_app.runtime.transitions import DONE, ONE_CLICK, check_transition
from flows_app.services.following import tell_moved
from flows_app.services.log import add_entry, lock_target, set_status, state_of
from flows_app.services.reading import course_lock, statuses_of, steps_of
from one_project.accounts.access import find_membership
from one_project.accounts.models import Role
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, InvalidInput
from one_project.common.text import clean_text


@transaction.atomic
def update_flow_progress(
    target: LessonTarget,
    step: FlowStep | UUID | str,
    status: str,
    *,
    by: Actor,
    reason: str = "",
    notes: str = "",
    version: int | None = None,
    request_id: str | None = None,
    submission: Submission | None = None,
) -> StepState:
    """Move a step to ``status``; its entry in the log and the state commit together.

    ``step``: the row, its key or its name. ``version``: what the asker saw of the step; another
    one raises StaleProgress with who changed what. ``request_id``: the same again changes nothing
    and returns the state. ``submission``: the one whose review this is; other open ones are
    overtaken.

    Raises LessonNotFound for who has nothing to do with it, AccessDenied or NotByHand for what is
    not theirs to say, StepLocked, IllegalTransition, ReasonMissing, StepNotFound, InvalidInput.
    """
    if status not in Status.values:
        raise InvalidInput(f"A status is one of {', '.join(Status.values)}.")
    reason, notes = clean_text(reason).strip()[:MAX_NOTES], clean_text(notes).strip()[:MAX_NOTES]
    locked = lock_target(target.pk)
    steps = steps_of(locked)
    found = find_step(steps, step)
    state = state_of(locked, found)
    if request_id and locked.log.filter(request_id=request_id).exists():
        return state
    check_rights(locked, found, state, status, by, submission)
    if version is not None and version != state.version:
        raise stale(state)
    if status == state.status:
        raise IllegalTransition(f"This step is {status} already.")
    check_transition(state.status, status, reason=reason)
    if status in {Status.IN_PROGRESS, Status.COMPLETED}:
        statuses = statuses_of([locked])[locked.pk]
        why = course_lock(locked) or why_locked(waits_for(found, steps, statuses))
        if why and state.status not in DONE:
            raise StepLocked(why)
    before = state.status
    entry = add_entry(
        locked,
        LogKind.STATUS,
        by,
        step=found,
        request_id=request_id,
        from_status=before,
        status=status,
        reason=reason,
        notes=notes,
    )
    set_status(state, status, by, reason=reason, notes=notes)
    if status in DONE or before in DONE:
        _overtake(locked, found, submission)
    record_event(
        locked.organisation,
        "flow_progress",
        actor=by.user,
        target=f"lesson:{locked.pk}",
        data={"step": found.name, "from": before, "to": status, "by": by.type},
    )
    tell_moved(locked, found, entry, by)
    return state


def reopen(
    target: LessonTarget,
    step: FlowStep | UUID | str,
    *,
    by: Actor,
    reason: str,
    version: int | None = None,
    request_id: str | None = None,
) -> StepState:
    """Take a completion or a skip back, for staff, with a reason. What follows stays as it is."""
    return update_flow_progress(
        target,
        step,
        Status.IN_PROGRESS,
        by=by,
        reason=reason,
        version=version,
        request_id=request_id,
    )


def find_step(steps: list[FlowStep], step: FlowStep | UUID | str) -> FlowStep:
    """By row, key or name (whatever case). Raises StepNotFound."""
    for one in steps:
        if isinstance(step, FlowStep) and one.key == step.key:
            return one
        if isinstance(step, UUID) and one.key == step:
            return one
        if isinstance(step, str) and step.lower() in (one.name.lower(), str(one.key)):
            return one
    raise StepNotFound


def check_rights(
    target: LessonTarget,
    step: FlowStep,
    state: StepState,
    status: str,
    by: Actor,
    submission: Submission | None = None,
) -> None:
    """Whether ``by`` may say this of the step. The rights are those of the person behind it.

    Assignees begin, block and complete their own steps, as the completion rule has it, and skip
    what is optional; staff do all of it for others. What needs a review is neither completed nor
    skipped by whose work it is, nor by an agent; with four eyes nor by who made or asked the agent
    that does it. An agent takes nothing back. ``submission``: its agent does this step, and who
    may do what with it has been looked at by the service that gives it.
    """
    if by.user is None and by.agent is None:
        return  # ONE itself, of what it has seen happen
    own = (by.user is not None and by.user.pk == target.user_id) or (
        by.agent is not None
        and by.agent.pk in {target.agent_id, submission.agent_id if submission else None}
    )
    member = find_membership(by.user, target.organisation_id) if by.user is not None else None
    staff = member is not None and member.role != Role.MEMBER
    if not own and not staff:
        raise LessonNotFound
    if submission is not None:
        return
    if by.user is not None and member is None:
        raise LessonNotFound  # has left
    if by.agent is not None and state.status in DONE:
        raise AccessDenied("Only staff open a step again.")
    # A step that was assigned alone counts, also where its flow can do without it.
    counts = step.is_required or step.key == target.step_key
    if not staff and status == Status.SKIPPED and counts:
        raise AccessDenied("This step is required: ask staff to skip it.")
    if status == Status.COMPLETED or (status == Status.SKIPPED and counts):
        _check_review(target, step, by, own=own)
    if status == Status.COMPLETED:
        _check_completion(step, state, by, own=own, staff=staff)
    elif not staff and state.status in DONE:
        raise AccessDenied("Only staff open a step again.")


def _check_review(target: LessonTarget, step: FlowStep, by: Actor, *, own: bool) -> None:
    """That nobody goes around a review by hand."""
    if not step.is_reviewed:
        return
    if own or by.agent is not None:
        raise NotByHand("This step is completed when somebody else has reviewed it.")
    if not step.four_eyes or by.user is None:
        return
    made = {one.created_by_id for one in (step.agent, target.agent) if one is not None}
    asked = Submission.objects.open().filter(target=target, step_key=step.key, requested_by=by.user)
    if by.user.pk in made or asked.exists():
        raise FourEyes


def _check_completion(
    step: FlowStep, state: StepState, by: Actor, *, own: bool, staff: bool
) -> None:
    if staff and by.agent is None and not own:
        return  # by hand, also where it would happen by itself
    if missing := missing_of(step, state.work):
        raise NotByHand(missing)
    if step.kind == StepKind.WORKFLOW and not staff:
        raise NotByHand("This step is completed when its workflow ends.")
    if state.status == Status.NOT_STARTED and step.kind not in ONE_CLICK:
        raise NotByHand("Please begin this step first.")


def stale(state: StepState) -> StaleProgress:
    """In words: who changed it to what meanwhile."""
    who = state.changed_by_name
    message = f"{who} has set this step to {state.status} in the meantime. Please look at it again."
    return StaleProgress(message, state)


def _overtake(target: LessonTarget, step: FlowStep, kept: Submission | None) -> None:
    """What waits for a review of a step that has moved on needs none any more."""
    rows = Submission.objects.open().filter(target=target, step_key=step.key)
    if kept is not None:
        rows = rows.exclude(pk=kept.pk)
    rows.update(status=SubmissionStatus.EXPIRED)
