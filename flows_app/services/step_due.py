"""When one step of one assignment is due, set by staff; else it follows from the flow."""

from datetime import datetime

from django.db import transaction

from flows_app.conf import MAX_NOTES
from flows_app.errors import LessonNotFound
from flows_app.models import FlowStep, LessonTarget, LogKind, StepState
from flows_app.runtime.actors import Actor
from flows_app.runtime.dates import told
from flows_app.services.assigning import checked_time
from flows_app.services.log import add_entry, lock_target, state_of
from flows_app.services.progress import find_step
from flows_app.services.reading import step_due, steps_of
from flows_app.services.rights import require_staff_actor
from one_project.common.text import clean_text


@transaction.atomic
def set_step_due(
    target: LessonTarget, step: FlowStep, due_at: datetime | None, *, by: Actor, reason: str = ""
) -> StepState:
    """``due_at`` in UTC; None: as the flow has it. The change is in the log.

    Nobody's form gets stale by it: what they enter has nothing to do with the date. Raises
    LessonNotFound for who is not staff, InvalidInput for a date far from now.
    """
    require_staff_actor(by, target.organisation_id, LessonNotFound)
    locked = lock_target(target.pk)
    found = find_step(steps_of(locked), step)
    state = state_of(locked, found)
    before = step_due(locked, found, state)
    state.due_at = checked_time(due_at)
    after = step_due(locked, found, state)
    if before == after:
        return state
    state.save()
    zone = locked.lesson.timezone
    add_entry(
        locked,
        LogKind.DUE,
        by,
        step=found,
        reason=clean_text(reason).strip()[:MAX_NOTES],
        notes=f"Due: {told(after, zone)} (was: {told(before, zone)}).",
    )
    return state
