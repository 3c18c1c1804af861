"""Giving work to people and agents: one assignment, one row for each who gets it.

Everything is written as sets: a role of a thousand members costs as many queries as one of two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone as clock

from agents_app.models import Agent
from flows_app.access import require_staff
from flows_app.conf import MAX_NOTES
from flows_app.errors import AlreadyAssigned, StepNotFound
from flows_app.live.announce import announce_flows
from flows_app.models import (
    Course,
    Flow,
    FlowProgress,
    FlowStep,
    Lesson,
    LessonTarget,
    LogKind,
    Resolution,
)
from flows_app.runtime.actors import Actor
from flows_app.services.ending import end_targets
from flows_app.services.following import tell_assigned
from one_project.accounts.models import Membership, Organisation, Role, Team, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, InvalidInput
from one_project.common.text import clean_text

NOT_HERE = "Please choose somebody of this organisation."


@dataclass(frozen=True, slots=True)
class Assigned:
    """The assignment, the rows it made, and how many had the work already."""

    lesson: Lesson
    targets: list[LessonTarget]
    skipped: int


@dataclass(frozen=True, slots=True)
class Part:
    """One flow of what is assigned, at the revision that is published now."""

    flow: Flow
    revision_id: UUID
    position: int
    step_key: UUID | None
    step_name: str = ""


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
    if by.user is not None:
        require_staff(by.user, organisation, AccessDenied)
    elif by.agent is not None:
        raise AccessDenied("An agent assigns work for a person of the staff only.")
    if request_id and (known := _known(organisation, request_id)):
        return known
    parts = parts_of(organisation, flow, course, step_name)
    _check_principal(organisation, user, agent, role, team, resolution)
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
        timezone=_zone(timezone),
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


def parts_of(
    organisation: Organisation, flow: Flow | None, course: Course | None, step_name: str
) -> list[Part]:
    """The flows that are meant. Raises InvalidInput, StepNotFound."""
    if (flow is None) == (course is None):
        raise InvalidInput("Please choose a flow or a course.")
    if course is not None:
        if step_name:
            raise InvalidInput("A course is assigned as a whole.")
        if course.organisation_id != organisation.pk or course.archived_at is not None:
            raise InvalidInput("Please choose a course of this organisation.")
        rows = course.course_flows.select_related("flow").order_by("position")
        parts = [_part(organisation, row.flow, row.position) for row in rows]
        if not parts:
            raise InvalidInput("This course has no flows yet.")
        return parts
    assert flow is not None
    return [_part(organisation, flow, 0, step_name)]


def _part(organisation: Organisation, flow: Flow, position: int, step_name: str = "") -> Part:
    if flow.organisation_id != organisation.pk:
        raise InvalidInput("Please choose a flow of this organisation.")
    if flow.published_id is None:
        raise InvalidInput(f"“{flow.name}” has not been published yet.")
    if flow.archived_at is not None:
        raise InvalidInput(f"“{flow.name}” is archived.")
    if not step_name:
        return Part(flow, flow.published_id, position, None)
    rows = FlowStep.objects.filter(revision_id=flow.published_id)
    step = rows.filter(name__iexact=step_name).first()
    if step is None:
        raise StepNotFound(f"“{flow.name}” has no step called “{step_name[:120]}”.")
    return Part(flow, flow.published_id, position, step.key, step.name)


def resolve(lesson: Lesson) -> tuple[list[UUID], list[UUID]]:
    """People and agents the lesson is for now, by id; of a queue nobody yet. One query at most."""
    if lesson.user_id is not None:
        return [lesson.user_id], []
    if lesson.agent_id is not None:
        return [], [lesson.agent_id]
    if lesson.resolution == Resolution.QUEUE:
        return [], []
    members = Membership.objects.active().filter(organisation_id=lesson.organisation_id)
    if lesson.team_id is not None:
        members = members.filter(user__team_memberships__team_id=lesson.team_id)
    else:
        members = members.filter(role=lesson.role)
    return list(members.values_list("user_id", flat=True)), []


def add_targets(
    lesson: Lesson,
    parts: Sequence[Part],
    people: Sequence[UUID],
    agents: Sequence[UUID],
    by: Actor,
    *,
    in_queue: bool = False,
) -> list[LessonTarget]:
    """One row for each person or agent and flow; who has the work already is left out.

    A fixed number of queries, whatever the number of people (rows go in batches of thousands).
    """
    now = clock.now()
    attempts = _attempts(parts, people, agents)
    who: list[dict[str, UUID]] = [{"user_id": key} for key in people]
    who += [{"agent_id": key} for key in agents] or ([{}] if in_queue else [])
    rows = [
        LessonTarget(
            organisation_id=lesson.organisation_id,
            lesson=lesson,
            flow=part.flow,
            revision_id=part.revision_id,
            step_key=part.step_key,
            position=part.position,
            attempt=attempts.get((*one.values(), part.flow.pk, part.step_key), 0) + 1,
            seq=1,
            assigned_at=now,
            due_at=lesson.due_at,
            follow_up_at=lesson.follow_up_at,
            **one,
        )
        for one in who
        for part in parts
    ]
    # The constraint says who has it already, also where two assign at the same moment.
    LessonTarget.objects.bulk_create(rows, ignore_conflicts=True)
    stored = set(
        LessonTarget.objects.filter(lesson=lesson, assigned_at=now).values_list("pk", flat=True)
    )
    made = [row for row in rows if row.pk in stored]
    FlowProgress.objects.bulk_create(
        FlowProgress(
            organisation_id=lesson.organisation_id,
            target=row,
            seq=1,
            kind=LogKind.ASSIGNED,
            flow_id=row.flow_id,
            step_key=row.step_key,
            user_id=row.user_id,
            agent_id=row.agent_id,
            actor_type=by.type,
            actor=by.user,
            actor_agent=by.agent,
            notes=lesson.note,
        )
        for row in made
    )
    if made:
        tell_assigned(lesson, made, by)
    # Thousands of people are not woken one by one: their pages look by themselves.
    told = [row.user_id for row in made] if len(made) <= 200 else []
    announce_flows(lesson.organisation_id, told)
    return made


def checked_time(at: datetime | None) -> datetime | None:
    """Raises InvalidInput for a time without a zone or far from now."""
    if at is None:
        return None
    if at.tzinfo is None or not 2000 <= at.year <= 2200:
        raise InvalidInput("Please give a date between 2000 and 2200.")
    return at


def _attempts(
    parts: Sequence[Part], people: Sequence[UUID], agents: Sequence[UUID]
) -> dict[tuple[Any, ...], int]:
    """The last attempt of each, by (person or agent, flow, step)."""
    field, ids = ("agent_id", agents) if agents else ("user_id", people)
    if not ids:
        return {}
    rows = (
        LessonTarget.objects.filter(
            flow__in=[part.flow.pk for part in parts], **{f"{field}__in": ids}
        )
        .values_list(field, "flow_id", "step_key")
        .annotate(last=Max("attempt"))
        .order_by()
    )
    return {(who, flow, key): last for who, flow, key, last in rows}


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


def _check_principal(
    organisation: Organisation,
    user: User | None,
    agent: Agent | None,
    role: str,
    team: Team | None,
    resolution: str,
) -> None:
    if sum(map(bool, (user, agent, role, team))) != 1:
        raise InvalidInput("Please choose one person, one agent, one role or one team.")
    if resolution not in Resolution.values:
        raise InvalidInput("A role or a team is resolved as snapshot, live or queue.")
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


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput("There is no such time zone.") from error
    return name
