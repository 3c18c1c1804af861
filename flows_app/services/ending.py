"""Ending assignments: withdrawn, restarted, given to somebody else. What was done stays written."""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from flows_app.conf import MAX_NOTES
from flows_app.errors import LessonNotFound
from flows_app.live.announce import announce_flows
from flows_app.models import Lesson, LessonTarget, LogKind, Submission, SubmissionStatus
from flows_app.runtime.actors import Actor
from flows_app.services.log_sets import add_entries, lock_targets
from flows_app.services.rights import require_staff_actor
from one_project.accounts.services.events import record_event
from one_project.common.text import clean_text


@transaction.atomic
def end_targets(targets: Iterable[LessonTarget], how: str, *, by: Actor, reason: str = "") -> int:
    """End those that have not ended; how many. ``how``: withdrawn, restarted or reassigned.

    A fixed number of queries, whatever their number.
    """
    rows = lock_targets(one.pk for one in targets)
    keys = [one.pk for one in rows]
    ended_at = timezone.now()
    LessonTarget.objects.filter(pk__in=keys).update(ended_at=ended_at, ended=how)
    for target in rows:
        target.ended_at, target.ended = ended_at, how
    add_entries(rows, LogKind.ENDED, by, reason=reason, notes=how)
    open_ones = Submission.objects.open().filter(target_id__in=keys)
    open_ones.update(status=SubmissionStatus.EXPIRED)
    return len(rows)


@transaction.atomic
def withdraw_lesson(lesson: Lesson, *, by: Actor, reason: str = "") -> int:
    """Take an assignment back from everybody who has not ended theirs; how many it was."""
    require_staff_actor(by, lesson.organisation_id, LessonNotFound)
    reason = clean_text(reason).strip()[:MAX_NOTES]
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
