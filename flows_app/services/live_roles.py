"""Live roles and teams: who joins later gets what was assigned; who leaves keeps what they did."""

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from flows_app.models import Lesson, LessonTarget
from flows_app.runtime.actors import SYSTEM
from flows_app.runtime.dates import moment_of
from flows_app.services.targets import last_attempts, store_targets

# Rows of one transaction; the rest comes with the next.
AT_ONCE = 2000

# Who belongs to a live assignment, and has neither a row of it (also an ended one) nor the same
# work of another. The lock has a withdrawal wait for us, or us see it.
_MISSING = """
SELECT l.id, m.user_id, f.id, f.published_id, COALESCE(c.position, 0)
FROM flows_app_lesson l
JOIN accounts_membership m ON m.organisation_id = l.organisation_id AND m.is_active
JOIN accounts_user u ON u.id = m.user_id AND u.is_active
LEFT JOIN flows_app_course k ON k.id = l.course_id
LEFT JOIN flows_app_courseflow c ON c.course_id = k.id
JOIN flows_app_flow f ON f.id = COALESCE(l.flow_id, c.flow_id)
WHERE l.resolution = 'live' AND l.withdrawn_at IS NULL
  AND (%(organisation)s::uuid IS NULL OR l.organisation_id = %(organisation)s::uuid)
  AND (%(person)s::uuid IS NULL OR m.user_id = %(person)s::uuid)
  AND (l.role <> '' AND m.role = l.role OR l.team_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM accounts_teammember t WHERE t.team_id = l.team_id AND t.user_id = m.user_id))
  AND f.archived_at IS NULL AND f.published_id IS NOT NULL AND k.archived_at IS NULL
  AND (l.step_key IS NULL OR EXISTS (
    SELECT 1 FROM flows_app_flowstep s
    WHERE s.revision_id = f.published_id AND s.key = l.step_key))
  AND NOT EXISTS (
    SELECT 1 FROM flows_app_lessontarget t
    WHERE t.lesson_id = l.id AND t.user_id = m.user_id AND t.flow_id = f.id)
  AND NOT EXISTS (
    SELECT 1 FROM flows_app_lessontarget t
    WHERE t.user_id = m.user_id AND t.flow_id = f.id AND t.ended_at IS NULL
      AND t.step_key IS NOT DISTINCT FROM l.step_key)
ORDER BY l.id, m.user_id, 5
LIMIT %(limit)s
FOR SHARE OF l
"""


def catch_up_lessons(organisation_id: UUID | None = None, person_id: UUID | None = None) -> int:
    """Give live assignments to who has joined their role or team since; how many rows were added.

    Of one organisation, of one person there, or of all. A few queries for each two thousand rows;
    one where there is nothing to do.
    """
    added = 0
    while True:
        with transaction.atomic():
            found = _missing(organisation_id, person_id)
            added += len(_add(found)) if found else 0
        if len(found) < AT_ONCE:
            return added


def _missing(
    organisation_id: UUID | None, person_id: UUID | None
) -> list[tuple[UUID, UUID, UUID, UUID, int]]:
    """(lesson, person, flow, revision, position)."""
    with connection.cursor() as cursor:
        cursor.execute(
            _MISSING,
            {"organisation": organisation_id, "person": person_id, "limit": AT_ONCE},
        )
        return list(cursor.fetchall())


def _add(found: list[tuple[UUID, UUID, UUID, UUID, int]]) -> list[LessonTarget]:
    lessons = Lesson.objects.in_bulk({row[0] for row in found})
    attempts = last_attempts({row[2] for row in found}, list({row[1] for row in found}), [])
    now = timezone.now()
    rows = []
    for lesson_id, person, flow, revision, position in found:
        lesson = lessons[lesson_id]
        rows.append(
            LessonTarget(
                organisation_id=lesson.organisation_id,
                lesson=lesson,
                flow_id=flow,
                revision_id=revision,
                step_key=lesson.step_key,
                position=position,
                user_id=person,
                attempt=attempts.get((person, flow, lesson.step_key), 0) + 1,
                seq=1,
                assigned_at=now,
                due_at=_due(lesson, now),
                follow_up_at=lesson.follow_up_at,
            )
        )
    return store_targets(rows, SYSTEM)


def _due(lesson: Lesson, now: datetime) -> datetime | None:
    """So many days after they got it, where it was said so; else the day that was set."""
    days = lesson.meta.get("due_days")
    if not isinstance(days, int):
        return lesson.due_at
    return moment_of(str(days), lesson.timezone, now)
