"""The rows of an assignment: which flows it means, who gets them, and storing them as sets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.utils import timezone as clock

from flows_app.conf import NAME_LIMIT
from flows_app.errors import StepNotFound
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
from flows_app.services.following import tell_assigned
from flows_app.services.log_sets import tell_pages
from one_project.accounts.models import Membership, Organisation
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line

# (person or agent, flow, step): the same work has the same one.
WorkKey = tuple[UUID | None, UUID, UUID | None]


@dataclass(frozen=True, slots=True)
class Part:
    """One flow of what is assigned, at the revision that is published now."""

    flow: Flow
    revision_id: UUID
    position: int
    step_key: UUID | None
    step_name: str = ""


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
    step = rows.filter(name__iexact=clean_line(step_name, NAME_LIMIT)).first()
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


def rows_of(
    lesson: Lesson,
    parts: Sequence[Part],
    people: Sequence[UUID],
    agents: Sequence[UUID],
    attempts: Mapping[WorkKey, int],
    *,
    in_queue: bool = False,
) -> list[LessonTarget]:
    """One unsaved row for each person or agent and flow; of a queue one that is nobody's."""
    now = clock.now()
    who: list[dict[str, UUID]] = [{"user_id": key} for key in people]
    who += [{"agent_id": key} for key in agents] or ([{}] if in_queue else [])
    return [
        LessonTarget(
            organisation_id=lesson.organisation_id,
            lesson=lesson,
            flow=part.flow,
            revision_id=part.revision_id,
            step_key=part.step_key,
            position=part.position,
            attempt=attempts.get((next(iter(one.values()), None), part.flow.pk, part.step_key), 0)
            + 1,
            seq=1,
            assigned_at=now,
            due_at=lesson.due_at,
            follow_up_at=lesson.follow_up_at,
            **one,
        )
        for one in who
        for part in parts
    ]


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
    attempts = last_attempts([part.flow.pk for part in parts], people, agents)
    rows = rows_of(lesson, parts, people, agents, attempts, in_queue=in_queue)
    return store_targets(rows, by)


def store_targets(
    rows: Sequence[LessonTarget], by: Actor, *, notes: str | None = None
) -> list[LessonTarget]:
    """Store them with the first entries of their logs (``notes``: else each lesson's note), tell
    followers and pages; returns those that were not there already."""
    # The constraint says who has it already, also where two assign at the same moment: each waits
    # for the other's rows, in one order, so that they never wait for one another.
    LessonTarget.objects.bulk_create(sorted(rows, key=_work), ignore_conflicts=True)
    keys = [row.pk for row in rows]
    stored = set(LessonTarget.objects.filter(pk__in=keys).values_list("pk", flat=True))
    made = [row for row in rows if row.pk in stored]
    FlowProgress.objects.bulk_create(
        FlowProgress(
            organisation_id=row.organisation_id,
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
            notes=row.lesson.note if notes is None else notes,
        )
        for row in made
    )
    for lesson, group in _alike(made):
        tell_assigned(lesson, group, by)
    tell_pages(made)
    return made


def _work(row: LessonTarget) -> tuple[str, str, str]:
    return str(row.flow_id), str(row.step_key), str(row.user_id or row.agent_id)


def _alike(targets: Iterable[LessonTarget]) -> list[tuple[Lesson, list[LessonTarget]]]:
    """Targets of lessons that differ in nothing but whom they are for, with one of the lessons:
    a bulk assignment of thousands of people tells followers once."""
    groups: dict[tuple[Any, ...], tuple[Lesson, list[LessonTarget]]] = {}
    for target in targets:
        one = target.lesson
        key = (one.flow_id, one.course_id, one.step_key, one.due_at, one.follow_up_at, one.note)
        groups.setdefault(key, (one, []))[1].append(target)
    return list(groups.values())


def last_attempts(
    flows: Iterable[UUID], people: Sequence[UUID], agents: Sequence[UUID]
) -> dict[WorkKey, int]:
    """The last attempt of each, by (person or agent, flow, step). A query for each kind."""
    found: dict[WorkKey, int] = {}
    for field, ids in (("user_id", people), ("agent_id", agents)):
        if not ids:
            continue
        rows = (
            LessonTarget.objects.filter(flow__in=list(flows), **{f"{field}__in": list(ids)})
            .values_list(field, "flow_id", "step_key")
            .annotate(last=Max("attempt"))
            .order_by()
        )
        found |= {(who, flow, key): last for who, flow, key, last in rows}
    return found
