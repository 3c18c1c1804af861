"""Staff's list of assignments: filtered, sorted, a page at a time, with how far each is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from flows_app.models import Lesson, LessonTarget, Resolution
from flows_app.runtime.progress import Share
from flows_app.services.due_rows import incomplete
from one_project.accounts.models import Organisation, Role, User

PAGE: Final = 50
# Every date column, both ways; without a date last.
SORTS: Final = {
    "-assigned": F("assigned_at").desc(),
    "assigned": F("assigned_at").asc(),
    "due": F("due_at").asc(nulls_last=True),
    "-due": F("due_at").desc(nulls_last=True),
    "follow_up": F("follow_up_at").asc(nulls_last=True),
    "-follow_up": F("follow_up_at").desc(nulls_last=True),
}
STATES: Final = ("", "overdue", "queue", "withdrawn")
_SHARES: Final = """
SELECT t.lesson_id, count(*), count(*) FILTER (WHERE n.done >= n.total),
       count(*) FILTER (WHERE t.user_id IS NULL AND t.agent_id IS NULL),
       sum(n.done), sum(n.total)
FROM flows_app_lessontarget t CROSS JOIN LATERAL (
  SELECT count(*) AS total,
         count(s.id) FILTER (WHERE s.status IN ('Completed', 'Skipped')) AS done
  FROM flows_app_flowstep f
  LEFT JOIN flows_app_stepstate s ON s.target_id = t.id AND s.step_key = f.key
  WHERE f.revision_id = t.revision_id
    AND (t.step_key IS NULL AND f.is_required OR f.key = t.step_key)
) n
WHERE t.lesson_id = ANY(%s) AND t.ended_at IS NULL
GROUP BY t.lesson_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentFilter:
    """``who``: in a name or address, or a role. ``by``: ``me`` or anyone. ``state``: one of STATES.
    Ranges are moments, the end not included. ``sort``: one of SORTS."""

    flow: UUID | None = None
    course: UUID | None = None
    who: str = ""
    by: str = ""
    state: str = ""
    due_from: datetime | None = None
    due_to: datetime | None = None
    follow_from: datetime | None = None
    follow_to: datetime | None = None
    sort: str = "-assigned"

    @property
    def is_narrow(self) -> bool:
        dates = (self.due_from, self.due_to, self.follow_from, self.follow_to)
        return any((self.flow, self.course, self.who, self.by, self.state, *dates))


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentLine:
    """``people``: who has it now; ``complete`` of them are done; ``waiting``: rows of a queue that
    nobody has taken."""

    lesson: Lesson
    people: int = 0
    complete: int = 0
    waiting: int = 0
    share: Share = field(default_factory=lambda: Share(0, 0))

    @property
    def is_done(self) -> bool:
        return self.people > 0 and self.complete == self.people

    @property
    def principal(self) -> str:
        return principal_of(self.lesson)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentPage:
    lines: list[AssignmentLine]
    number: int
    has_next: bool


def principal_of(lesson: Lesson) -> str:
    """Whom it is for, in words."""
    if lesson.role:
        return f"Role: {Role(lesson.role).label}"
    if lesson.team is not None:
        return f"Team: {lesson.team.name}"
    if lesson.agent is not None:
        return lesson.agent.name
    return lesson.user.display_name if lesson.user is not None else "Nobody"


def list_assignments(
    organisation: Organisation, asked: AssignmentFilter, *, by: User, page: int = 1
) -> AssignmentPage:
    """One page. Three queries, whatever the number of people."""
    rows = _filtered(organisation, asked, by).order_by(SORTS[asked.sort], "-pk")
    start = (page - 1) * PAGE
    related = ("flow", "course", "user", "agent", "team", "assigned_by")
    found = list(rows.select_related(*related)[start : start + PAGE + 1])
    return AssignmentPage(
        lines=lines_of_lessons(found[:PAGE]), number=page, has_next=len(found) > PAGE
    )


def lines_of_lessons(lessons: Sequence[Lesson]) -> list[AssignmentLine]:
    """In their order. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARES, [[one.pk for one in lessons]])
        shares: dict[UUID, tuple[Any, ...]] = {row[0]: row[1:] for row in cursor.fetchall()}
    lines = []
    for lesson in lessons:
        people, complete, waiting, done, total = shares.get(lesson.pk, (0, 0, 0, 0, 0))
        lines.append(
            AssignmentLine(
                lesson=lesson,
                people=people - waiting,
                complete=min(complete, people - waiting),
                waiting=waiting,
                share=Share(int(done), int(total)),
            )
        )
    return lines


def _filtered(organisation: Organisation, asked: AssignmentFilter, by: User) -> QuerySet[Lesson]:
    rows = Lesson.objects.filter(organisation=organisation)
    if asked.flow:
        in_course = Q(course__course_flows__flow=asked.flow)
        rows = rows.filter(Q(flow=asked.flow) | in_course).distinct()
    if asked.course:
        rows = rows.filter(course=asked.course)
    if asked.who:
        rows = rows.filter(_is_for(asked.who))
    if asked.by == "me":
        rows = rows.filter(assigned_by=by)
    ranges = {
        "due_at__gte": asked.due_from,
        "due_at__lt": asked.due_to,
        "follow_up_at__gte": asked.follow_from,
        "follow_up_at__lt": asked.follow_to,
    }
    rows = rows.filter(**{name: at for name, at in ranges.items() if at is not None})
    return _in_state(rows, asked.state)


def _is_for(text: str) -> Q:
    """The principal, or one of those who have it because of a role or a team."""
    person = Q(user__name__icontains=text) | Q(user__email__icontains=text)
    mine = LessonTarget.objects.active().filter(lesson=OuterRef("pk"))
    return (
        person
        | Q(agent__name__icontains=text)
        | Q(team__name__icontains=text)
        | Q(role__iexact=text)
        | Q(Exists(mine.filter(person | Q(agent__name__icontains=text))))
    )


def _in_state(rows: QuerySet[Lesson], state: str) -> QuerySet[Lesson]:
    if state == "withdrawn":
        return rows.exclude(withdrawn_at=None)
    rows = rows.filter(withdrawn_at=None)
    mine = LessonTarget.objects.active().filter(lesson=OuterRef("pk"))
    if state == "overdue":
        late = incomplete(mine.filter(due_at__lt=timezone.now()))
        return rows.filter(Exists(late))
    if state == "queue":
        free = mine.filter(user=None, agent=None)
        return rows.filter(Exists(free), resolution=Resolution.QUEUE)
    return rows
