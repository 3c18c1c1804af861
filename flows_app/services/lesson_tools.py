"""What agents' tools ask for: flows, people and steps by the names that people call them.

Each verb resolves names within the rights of the person the agent works for, calls the service
that does it, and returns JSON values.
"""

from datetime import UTC, datetime, time
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_date

from agents_app.models import Agent
from chat_app.access import is_staff_of
from flows_app.access import access_target, visible_targets
from flows_app.errors import CourseNotFound, FlowNotFound, LessonNotFound
from flows_app.models import Course, Flow, LessonTarget
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import assign_lesson
from flows_app.services.progress import update_flow_progress
from flows_app.services.reading import StepLine, lines_of, share_of_lines, shares_of
from one_project.accounts.models import Organisation, Team, User
from one_project.common.errors import AccessDenied, InvalidInput
from one_project.common.ids import parse_id
from one_project.common.text import clean_line

M = TypeVar("M", bound=Model)
ME = "me"
# More lessons, steps or namesakes than these help no model.
LISTED = 30
NAMESAKES = 5


def assign_by_name(
    organisation: Organisation,
    *,
    user: User,
    agent: Agent | None,
    flow: str = "",
    course: str = "",
    step: str = "",
    to: str = ME,
    role: str = "",
    team: str = "",
    due: str = "",
    note: str = "",
    key: UUID | None = None,
) -> dict[str, Any]:
    """Assign a flow, a step or a course; ``to``: me, an address, a name or an id.

    ``due``: YYYY-MM-DD, the end of that day where the person is. The same ``key`` again assigns
    nothing new. Raises AppError.
    """
    if not is_staff_of(user, organisation):
        raise AccessDenied("Only staff assign lessons.")
    given_role = role.strip().lower()
    group = _one(Team.objects.filter(organisation=organisation), team, "team") if team else None
    person = None if given_role or group else find_person(organisation, user, to)
    made = assign_lesson(
        organisation,
        by=Actor(user=user, agent=agent),
        flow=find_flow(organisation, flow) if flow else None,
        course=find_course(organisation, course) if course else None,
        step_name=step,
        user=person,
        role=given_role,
        team=group,
        due_at=_end_of_day(due, user),
        timezone=user.timezone or "UTC",
        note=note,
        request_id=f"tool:{key}" if key else None,
    )
    return {
        "lesson_id": str(made.lesson.pk),
        "assigned": len(made.targets),
        "skipped_because_they_have_it": made.skipped,
        "to": person.display_name if person else given_role or (group.name if group else ""),
    }


def list_lessons(organisation: Organisation, *, user: User) -> dict[str, Any]:
    """What the person has to do and has done lately, by due date."""
    rows = (
        LessonTarget.objects.active()
        .filter(organisation=organisation, user=user)
        .select_related("flow", "lesson__course")
        .order_by("due_at", "-assigned_at", "position")[: LISTED + 1]
    )
    targets = list(rows)
    shares = shares_of(targets)
    return {
        "lessons": [
            {
                "id": str(one.pk),
                "flow": one.flow.name,
                "course": one.lesson.course.name if one.lesson.course else None,
                "percent": shares[one.pk].percent,
                "due": one.due_at.isoformat() if one.due_at else None,
                "steps": [_step(line) for line in lines_of(one)]
                if not shares[one.pk].is_complete
                else [],
            }
            for one in targets[:LISTED]
        ],
        "more": len(targets) > LISTED,
    }


def progress_by_name(
    organisation: Organisation,
    *,
    user: User,
    agent: Agent | None,
    lesson: str,
    step: str,
    status: str,
    reason: str = "",
    notes: str = "",
    person: str = ME,
    key: UUID | None = None,
) -> dict[str, Any]:
    """Move a step of the person's lesson, or, for staff, of somebody else's. Raises AppError."""
    target = _target(organisation, user, lesson, person)
    state = update_flow_progress(
        target,
        parse_id(step) or step,
        status,
        by=Actor(user=user, agent=agent),
        reason=reason,
        notes=notes,
        request_id=f"tool:{key}" if key else None,
    )
    share = share_of_lines(lines_of(target))
    return {
        "lesson_id": str(target.pk),
        "status": state.status,
        "percent": share.percent,
    }


def is_oneself(user: User | None, to: str) -> bool:
    """Whether ``to`` can only mean the person."""
    wanted = to.strip().lower()
    return user is not None and wanted in {ME, user.email.lower(), str(user.pk)}


def find_flow(organisation: Organisation, named: str) -> Flow:
    """Raises FlowNotFound, and InvalidInput where the name is not clear."""
    rows = Flow.objects.active().filter(organisation=organisation)
    return _one(rows, named, "flow", FlowNotFound)


def find_course(organisation: Organisation, named: str) -> Course:
    rows = Course.objects.active().filter(organisation=organisation)
    return _one(rows, named, "course", CourseNotFound)


def find_person(organisation: Organisation, user: User, named: str) -> User:
    """A member by address, whole name or id. Raises InvalidInput."""
    if is_oneself(user, named):
        return user
    wanted = clean_line(named, 254)
    rows = User.objects.filter(
        memberships__organisation=organisation, memberships__is_active=True, is_active=True
    )
    if not wanted:
        raise InvalidInput("Please say who.")
    key = parse_id(wanted)
    same = Q(pk=key) if key else Q(email__iexact=wanted) | Q(name__iexact=wanted)
    found = list(rows.filter(same).order_by("email")[: NAMESAKES + 1])
    if not found:
        raise InvalidInput(f"There is nobody called “{wanted}” here. Try the e-mail address.")
    if len(found) > 1:
        raise InvalidInput(f"Several people are called “{wanted}”. Give the e-mail address.")
    return found[0]


def _one(rows: QuerySet[M], named: str, what: str, error: type[Exception] = InvalidInput) -> M:
    wanted = clean_line(named, 200)
    key = parse_id(wanted)
    same = rows.filter(pk=key) if key else rows.filter(name__iexact=wanted)
    found = same.first()
    if found is not None:
        return found
    near = list(rows.filter(name__icontains=wanted).order_by("name")[:NAMESAKES]) if wanted else []
    if len(near) == 1:
        return near[0]
    hint = f" Did you mean {', '.join(f'“{one}”' for one in near)}?" if near else ""
    raise error(f"There is no {what} called “{wanted}” here.{hint}")


def _target(organisation: Organisation, user: User, lesson: str, person: str) -> LessonTarget:
    """By id, or by the flow's name among the person's active ones. Raises LessonNotFound."""
    if key := parse_id(lesson):
        return access_target(user, organisation, key)
    if not is_oneself(user, person) and not is_staff_of(user, organisation):
        raise LessonNotFound  # who there is, and who has what, is for staff to know
    who = find_person(organisation, user, person)
    rows = visible_targets(user, organisation).filter(user=who, ended_at=None)
    found = list(
        rows.filter(flow__name__iexact=clean_line(lesson, 200)).order_by("-assigned_at")[:2]
    )
    if not found:
        raise LessonNotFound(f"{who.display_name} has no lesson called “{lesson[:120]}”.")
    if len(found) > 1:
        raise InvalidInput(
            f"{who.display_name} has “{lesson[:120]}” twice (one of it is a single step). "
            "Give the id of the lesson."
        )
    return found[0]


def _step(line: StepLine) -> dict[str, Any]:
    told: dict[str, Any] = {"name": line.step.name, "status": line.status, "rule": line.rule}
    if line.locked:
        told["locked"] = line.locked
    if line.due_at:
        told["due"] = line.due_at.isoformat()
    return told


def _end_of_day(due: str, user: User) -> datetime | None:
    if not due.strip():
        return None
    try:
        day = parse_date(due.strip())
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year <= 2200:
        raise InvalidInput("Please give the due date as YYYY-MM-DD, between 2000 and 2200.")
    try:
        zone = ZoneInfo(user.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return datetime.combine(day, time(23, 59), tzinfo=zone).astimezone(UTC)
