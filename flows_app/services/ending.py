"""Ending assignments: withdrawn, restarted, given to somebody else. What was done stays written."""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from flows_app.access import require_staff
from flows_app.errors import LessonNotFound
from flows_app.live.announce import announce_flows
from flows_app.models import Lesson, LessonTarget, LogKind, Submission, SubmissionStatus
from flows_app.runtime.actors import Actor
from flows_app.services.log import add_entry
from one_project.accounts.services.events import record_event


@transaction.atomic
def end_targets(targets: Iterable[LessonTarget], how: str, *, by: Actor, reason: str = "") -> int:
    """End those that have not ended; how many. ``how``: withdrawn, restarted or reassigned."""
    keys = [one.pk for one in targets]
    rows = (
        LessonTarget.objects.active()
        .select_for_update(of=("self",), no_key=True)
        .filter(pk__in=keys)
        .order_by("pk")
    )
    ended = 0
    for target in rows:
        target.ended_at, target.ended = timezone.now(), how
        target.save(update_fields=["ended_at", "ended", "updated_at"])
        add_entry(target, LogKind.ENDED, by, reason=reason, notes=how)
        ended += 1
    open_ones = Submission.objects.open().filter(target_id__in=keys)
    open_ones.update(status=SubmissionStatus.EXPIRED)
    return ended


@transaction.atomic
def withdraw_lesson(lesson: Lesson, *, by: Actor, reason: str = "") -> int:
    """Take an assignment back from everybody who has not ended theirs; how many it was."""
    if by.user is not None:
        require_staff(by.user, lesson.organisation_id, LessonNotFound)
    Lesson.objects.filter(pk=lesson.pk, withdrawn_at=None).update(withdrawn_at=timezone.now())
    ended = end_targets(lesson.targets.active(), "withdrawn", by=by, reason=reason)
    record_event(
        lesson.organisation,
        "lesson_withdrawn",
        actor=by.user,
        target=f"lesson:{lesson.pk}",
        data={"targets": ended},
    )
    announce_flows(lesson.organisation_id)
    return ended
