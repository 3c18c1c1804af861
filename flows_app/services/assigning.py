"""Giving work to people and agents: one assignment, one row for each who gets it.

Everything is written as sets: a role of a thousand members costs as many queries as one of two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import IntegrityError, transaction
from django.utils import timezone as clock

from agents_app.models import Agent
from flows_app.conf import MAX_NOTES
from flows_app.errors import AlreadyAssigned
from flows_app.models import Course, Flow, Lesson, LessonTarget, Resolution
from flows_app.runtime.actors import Actor
from flows_app.services.ending import end_targets
from flows_app.services.rights import require_staff_actor
from flows_app.services.targets import Part, add_targets, parts_of, resolve
from one_project.accounts.models import Membership, Organisation, Role, Team, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_text

NOT_HERE = "Please choose somebody of this organisation."


@dataclass(frozen=True, slots=True)
class Assigned:
    """The assignment, the rows it made, and how many had the work already."""

    lesson: Lesson
    targets: list[LessonTarget]
    skipped: int


@transaction.atomic
def assign_lesson(
    organisation: Organisation,
    *,
    by: Actor,
    flow: Flow | None = None,
    course: Course | None = None,
    step_name: str = "",
    user: User | None = None,
    agent: Agent | None = None,
    role: str = "",
    team: Team | None = None,
    resolution: str = Resolution.SNAPSHOT,
    due_at: datetime | None = None,
    follow_up_at: datetime | None = None,
    timezone: str = "UTC",
    note: str = "",
    request_id: str | None = None,
    restart: bool = False,
) -> Assigned:
    """Assign a flow, one step of it, or a course to one person, agent, role or team.

    Who has the same work already keeps it and is counted as skipped; a single assignee raises
    AlreadyAssigned. ``restart`` ends theirs and begins attempt n+1. A role or team is resolved now
    (snapshot), also for who joins later (live), or its members take turns (queue: one row that
    one of them takes). ``request_id``: the same again returns what the first one made.

    Raises AccessDenied where ``by`` is not staff, InvalidInput for what does not fit together or is
    not of this organisation, StepNotFound.
    """
    require_staff_actor(by, organisation)
    if len(request_id or "") > 64:
        raise InvalidInput("A request id has at most 64 characters.")
    if request_id and (known := _known(organisation, request_id)):
        return known
    parts = parts_of(organisation, flow, course, step_name)
    check_principal(organisation, user, agent, role, team)
    if resolution not in Resolution.values:
        raise InvalidInput("A role or a team is resolved as snapshot, live or queue.")
    lesson = Lesson(
        organisation=organisation,
        flow=flow,
        course=course,
        step_name=parts[0].step_name,
        step_key=parts[0].step_key,
        user=user,
        agent=agent,
        role=role,
        team=team,
        resolution=resolution if role or team else Resolution.SNAPSHOT,
        assigned_by=by.user,
        assigned_at=clock.now(),
        due_at=checked_time(due_at),
        follow_up_at=checked_time(follow_up_at),
        timezone=checked_zone(timezone),
        note=clean_text(note)[:MAX_NOTES],
        request_id=request_id or None,
    )
    try:
        with transaction.atomic():
            lesson.save()
    except IntegrityError:
        if request_id and (known := _known(organisation, request_id)):
            return known
        raise
    people, agents = resolve(lesson)
    queue = lesson.resolution == Resolution.QUEUE
    if restart:
        _end_for_restart(parts, people, agents, by)
    made = add_targets(lesson, parts, people, agents, by, in_queue=queue)
    skipped = 0 if queue else len({*people, *agents}) * len(parts) - len(made)
    if not made and (user or agent or (lesson.resolution == Resolution.SNAPSHOT and skipped)):
        raise AlreadyAssigned
    record_event(
        organisation,
        "lesson_assigned",
        actor=by.user,
        target=f"lesson:{lesson.pk}",
        data={"targets": len(made), "skipped": skipped},
    )
    return Assigned(lesson, made, skipped)


def checked_time(at: datetime | None) -> datetime | None:
    """Raises InvalidInput for a time without a zone or far from now."""
    if at is None:
        return None
    if at.tzinfo is None or not 2000 <= at.year <= 2200:
        raise InvalidInput("Please give a date between 2000 and 2200.")
    return at


def _end_for_restart(
    parts: Sequence[Part], people: Sequence[UUID], agents: Sequence[UUID], by: Actor
) -> None:
    for part in parts:
        rows = LessonTarget.objects.active().filter(flow=part.flow, step_key=part.step_key)
        rows = rows.filter(user_id__in=people) if people else rows.filter(agent_id__in=agents)
        end_targets(rows, "restarted", by=by)


def _known(organisation: Organisation, request_id: str) -> Assigned | None:
    lesson = Lesson.objects.filter(organisation=organisation, request_id=request_id).first()
    return Assigned(lesson, list(lesson.targets.all()), 0) if lesson else None


def check_principal(
    organisation: Organisation,
    user: User | None = None,
    agent: Agent | None = None,
    role: str = "",
    team: Team | None = None,
) -> None:
    """Raises InvalidInput for none, for more than one, and for who is not of the organisation."""
    if sum(map(bool, (user, agent, role, team))) != 1:
        raise InvalidInput("Please choose one person, one agent, one role or one team.")
    if role and role not in Role.values:
        raise InvalidInput(f"A role is one of {', '.join(Role.values)}.")
    if user is not None:
        members = Membership.objects.active().filter(organisation=organisation)
        if not members.filter(user=user).exists():
            raise InvalidInput(NOT_HERE)
    if agent is not None and (agent.organisation_id != organisation.pk or not agent.is_active):
        raise InvalidInput("Please choose an agent of this organisation.")
    if team is not None and team.organisation_id != organisation.pk:
        raise InvalidInput("Please choose a team of this organisation.")


def checked_zone(name: str) -> str:
    """Raises InvalidInput for a name that no time zone has."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput("There is no such time zone.") from error
    return name
