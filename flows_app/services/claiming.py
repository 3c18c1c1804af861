"""Queues of a role or a team: one of its members takes the work, or puts it back."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from chat_app.access import is_staff_of
from flows_app.errors import AlreadyAssigned, LessonNotFound
from flows_app.models import (
    LessonTarget,
    LogKind,
    Resolution,
    Submission,
    SubmissionStatus,
)
from flows_app.models.lessons import LessonTargetQuerySet
from flows_app.runtime.actors import Actor
from flows_app.services.log_sets import add_entries, lock_targets
from flows_app.services.targets import last_attempts
from one_project.accounts.models import Organisation, User
from one_project.common.errors import Conflict

HAS_IT = "You have this work already: finish that first."


def claimable(user: User, organisation: Organisation) -> LessonTargetQuerySet:
    """What the person may take now, what is due first on top."""
    rows = LessonTarget.objects.claimable_by(user).filter(organisation=organisation)
    return rows.select_related("lesson", "flow", "revision", "lesson__team").order_by(
        "due_at", "assigned_at", "lesson_id", "position"
    )


@transaction.atomic
def claim(target: LessonTarget, user: User) -> LessonTarget:
    """Take work from a queue; of a course all that is still free of it. Of two at once one wins.

    Raises LessonNotFound for who is not of the role or team, Conflict where another has taken it
    or it was withdrawn, AlreadyAssigned where the person has the same work already. Who has it
    already gets it again.
    """
    _check_entitled(target, user)
    free = LessonTarget.objects.active().filter(lesson_id=target.lesson_id, user=None, agent=None)
    rows = lock_targets(free.values_list("pk", flat=True))
    taken = [one for one in rows if one.user_id is None and one.agent_id is None]
    if target.pk not in {one.pk for one in taken}:
        return _taken_already(target, user)
    attempts = last_attempts([one.flow_id for one in taken], [user.pk], [])
    for one in taken:
        one.user = user
        one.attempt = attempts.get((user.pk, one.flow_id, one.step_key), 0) + 1
        try:
            with transaction.atomic():
                changed = LessonTarget.objects.filter(pk=one.pk, user=None, agent=None).update(
                    user=user, attempt=one.attempt, updated_at=timezone.now()
                )
        except IntegrityError as error:
            raise AlreadyAssigned(HAS_IT) from error
        if not changed:
            raise Conflict(_who_has(one.pk))
    add_entries(taken, LogKind.ASSIGNED, Actor(user=user), notes="Taken from the queue.")
    return next(one for one in taken if one.pk == target.pk)


@transaction.atomic
def unclaim(target: LessonTarget, *, by: User) -> LessonTarget:
    """Put work back into its queue, as far as it is; for who has it, and for staff.

    Raises LessonNotFound for others, Conflict for work that came from no queue or has ended.
    """
    found = LessonTarget.objects.select_related("lesson", "user").get(pk=target.pk)
    if found.user_id != by.pk and not is_staff_of(by, found.organisation_id):
        raise LessonNotFound
    if found.lesson.resolution != Resolution.QUEUE:
        raise Conflict("This was given to you: ask staff to give it to somebody else.")
    rows = lock_targets([found.pk])
    if not rows or rows[0].user_id != found.user_id or rows[0].user_id is None:
        raise Conflict("This is not taken any more.")
    add_entries(
        rows,
        LogKind.REASSIGNED,
        Actor(user=by),
        notes=f"{found.assignee_name} has put it back into the queue.",
    )
    LessonTarget.objects.filter(pk=found.pk, user=found.user_id).update(user=None)
    open_ones = Submission.objects.open().filter(target_id=found.pk)
    open_ones.update(status=SubmissionStatus.EXPIRED)
    found.user = None
    return found


def _check_entitled(target: LessonTarget, user: User) -> None:
    """Whether it could be theirs, taken or not. What others may see of it is none of it."""
    if target.user_id == user.pk:
        return
    if target.lesson.resolution != Resolution.QUEUE:
        raise LessonNotFound
    entitled = LessonTarget.objects.of_queues_of(user).filter(pk=target.pk)
    if not entitled.exists():
        raise LessonNotFound


def _taken_already(target: LessonTarget, user: User) -> LessonTarget:
    found = LessonTarget.objects.select_related("lesson", "flow", "user", "agent").get(pk=target.pk)
    if found.ended_at is not None:
        raise Conflict("This was withdrawn in the meantime.")
    if found.user_id != user.pk:
        raise Conflict(_who_has(found.pk))
    return found


def _who_has(target_id: UUID) -> str:
    found = LessonTarget.objects.select_related("user", "agent").get(pk=target_id)
    return f"{found.assignee_name} has taken this already."
