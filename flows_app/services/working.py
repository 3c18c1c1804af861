"""What people do in the steps of their lessons: begin, tick, fill in, finish, say that it is stuck.

Every verb locks the target and leaves the moving of the step to ``progress``. ``version`` is the
one the form showed; ``page`` tells the saves of one open page from those of another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from agents_app.errors import InvalidFields
from flows_app.models import FlowStep, LessonTarget, Status, StepKind, StepState
from flows_app.runtime.actors import Actor
from flows_app.runtime.answers import check_answers, missing_answers
from flows_app.runtime.rules import missing_of
from flows_app.services.handing_in import hand_in
from flows_app.services.progress import update_flow_progress
from flows_app.services.step_work import is_own, open_desk, save_work, seen_step
from one_project.common.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Saved:
    """The step after a draft was kept, and by field id what of it could not be."""

    state: StepState
    problems: dict[str, str]


@transaction.atomic
def begin_step(target: LessonTarget, step: FlowStep, *, by: Actor) -> StepState:
    """In Progress, if it has not begun. Raises StepLocked, and what ``open_desk`` raises."""
    return open_desk(target, step, by=by).state


@transaction.atomic
def tick_items(
    target: LessonTarget,
    step: FlowStep,
    ticked: Mapping[str, bool],
    *,
    by: Actor,
    version: int | None = None,
) -> StepState:
    """Tick (True) and untick items of a checklist by id; others stay as they are.

    The last one completes the step, unless it is reviewed. Raises InvalidInput for an item that
    is not there.
    """
    known = [one["id"] for one in step.items]
    if step.kind != StepKind.CHECKLIST or not ticked or not set(ticked) <= set(known):
        raise InvalidInput("This checklist has no such item.")
    desk = open_desk(target, step, by=by, version=version)
    before = desk.state.work.get("ticked", [])
    after = [one for one in known if ticked.get(one, one in before)]
    if after != before:
        save_work(desk, by, ticked=after)
    if missing_of(step, desk.state.work) or step.is_reviewed:
        return desk.state
    return update_flow_progress(desk.target, step, Status.COMPLETED, by=by)


@transaction.atomic
def save_draft_answers(
    target: LessonTarget,
    step: FlowStep,
    answers: Mapping[str, Any],
    *,
    by: Actor,
    version: int | None = None,
    page: str = "",
) -> Saved:
    """Keep what was filled in so far. What cannot be an answer is told and not kept."""
    if step.kind != StepKind.FORM:
        raise InvalidInput("This step has no form.")
    desk = open_desk(target, step, by=by, version=version, page=page)
    good, problems = check_answers(step.fields, answers)
    state = save_work(desk, by, page=page, answers=good)
    return Saved(state, problems)


@transaction.atomic
def save_answers(
    target: LessonTarget,
    step: FlowStep,
    answers: Mapping[str, Any],
    *,
    by: Actor,
    version: int | None = None,
    page: str = "",
    submit: bool = False,
    notes: str = "",
    request_id: str | None = None,
) -> StepState:
    """Keep the answers by field id; ``submit``: send the form, which completes the step or has it
    reviewed. ``request_id``: the same again sends it once.

    Raises InvalidFields with what to change in which field (nothing is kept then), StaleProgress
    where it was filled in elsewhere meanwhile, and what ``open_desk`` raises.
    """
    if step.kind != StepKind.FORM:
        raise InvalidInput("This step has no form.")
    if request_id and (known := _repeated(target, step, by, request_id)):
        return known
    good, problems = check_answers(step.fields, answers)
    if submit:
        problems = {**missing_answers(step.fields, good), **problems}
    if problems:
        raise InvalidFields(problems)
    desk = open_desk(target, step, by=by, version=version, page=page)
    state = save_work(desk, by, page=page, answers=good)
    if not submit:
        return state
    return mark_done(desk.target, step, by=by, notes=notes, request_id=request_id)


@transaction.atomic
def mark_done(
    target: LessonTarget,
    step: FlowStep,
    *,
    by: Actor,
    version: int | None = None,
    notes: str = "",
    request_id: str | None = None,
) -> StepState:
    """Complete the step, or hand it in where staff review it: then it stays In Progress.

    A second handing in while one waits replaces it. Raises NotByHand for what is missing,
    StepLocked, StaleProgress; see ``update_flow_progress``.
    """
    if request_id and (known := _repeated(target, step, by, request_id)):
        return known
    desk = seen_step(target, step, by=by, version=version)
    # What an agent says for a person is never handed in: ``update_flow_progress`` refuses it.
    if step.is_reviewed and is_own(desk.target, by) and by.agent is None:
        return hand_in(desk, by, notes=notes, request_id=request_id)
    return update_flow_progress(
        desk.target, step, Status.COMPLETED, by=by, notes=notes, request_id=request_id
    )


@transaction.atomic
def move_step(
    target: LessonTarget,
    step: FlowStep,
    status: str,
    *,
    by: Actor,
    reason: str = "",
    notes: str = "",
    version: int | None = None,
    request_id: str | None = None,
) -> StepState:
    """``update_flow_progress`` for a form beside which the same person may have saved work: that
    does not make it stale."""
    if request_id and (known := _repeated(target, step, by, request_id)):
        return known
    desk = seen_step(target, step, by=by, version=version)
    return update_flow_progress(
        desk.target, step, status, by=by, reason=reason, notes=notes, request_id=request_id
    )


@transaction.atomic
def decline_proposal(target: LessonTarget, step: FlowStep, *, by: Actor) -> StepState:
    """“Not yet”: the agent's word that the step is done is put aside."""
    desk = open_desk(target, step, by=by)
    desk.state.proposed = ""
    return save_work(desk, by)


def _repeated(target: LessonTarget, step: FlowStep, by: Actor, request_id: str) -> StepState | None:
    """The state as it is, where this very request was answered before."""
    if not target.log.filter(request_id=request_id).exists():
        return None
    return seen_step(target, step, by=by).state
