"""Telling people again what they have to do."""

from django.db import transaction

from flows_app.errors import LessonNotFound
from flows_app.models import Lesson, LessonTarget
from flows_app.runtime.actors import Actor
from flows_app.services.due_rows import incomplete
from flows_app.services.notices import tell_assignees
from flows_app.services.rights import require_staff_actor


@transaction.atomic
def resend_notice(lesson: Lesson, *, by: Actor) -> int:
    """A notice as at the beginning, to each person who is not done (of a queue to all who may take
    it); how many people have such work. Raises LessonNotFound for who is not staff."""
    require_staff_actor(by, lesson.organisation_id, LessonNotFound)
    rows = LessonTarget.objects.active().filter(lesson=lesson, agent=None)
    targets = list(incomplete(rows).select_related("lesson", "flow", "user"))
    if targets:
        tell_assignees(lesson, targets, by)
    return len({one.user_id for one in targets})
