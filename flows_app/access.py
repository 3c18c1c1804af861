"""Who may see which flow, lesson and target. Missing and forbidden look the same."""

from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from agents_app.models import Agent
from chat_app.access import is_staff_of
from flows_app.errors import (
    CourseNotFound,
    FlowNotFound,
    LessonNotFound,
    StepNotFound,
    SubmissionNotFound,
)
from flows_app.models import Course, Flow, FlowStep, Lesson, LessonTarget, Submission
from flows_app.models.lessons import LessonTargetQuerySet
from one_project.accounts.models import Membership, Organisation, User
from one_project.common.errors import AppError
from one_project.common.ids import parse_id


def require_staff(
    user: User, organisation: Organisation | UUID, error: type[AppError] = FlowNotFound
) -> None:
    """Raises ``error`` for everybody else: pages of staff do not exist for others."""
    if not is_staff_of(user, organisation):
        raise error


def access_flow(user: User, organisation: Organisation, flow_id: UUID | str) -> Flow:
    """Any flow of the organisation, for its staff. Raises FlowNotFound."""
    wanted = parse_id(flow_id)
    require_staff(user, organisation)
    flow = wanted and (
        Flow.objects.select_related("published", "draft", "organisation")
        .filter(pk=wanted, organisation=organisation)
        .first()
    )
    if not flow:
        raise FlowNotFound
    return flow


def access_course(user: User, organisation: Organisation, course_id: UUID | str) -> Course:
    """Any course of the organisation, for its staff. Raises CourseNotFound."""
    wanted = parse_id(course_id)
    require_staff(user, organisation, CourseNotFound)
    course = wanted and Course.objects.filter(pk=wanted, organisation=organisation).first()
    if not course:
        raise CourseNotFound
    return course


def access_lesson(user: User, organisation: Organisation, lesson_id: UUID | str) -> Lesson:
    """Any assignment of the organisation, for its staff. Raises LessonNotFound."""
    wanted = parse_id(lesson_id)
    require_staff(user, organisation, LessonNotFound)
    lesson = wanted and (
        Lesson.objects.select_related("flow", "course", "user", "agent", "team", "assigned_by")
        .filter(pk=wanted, organisation=organisation)
        .first()
    )
    if not lesson:
        raise LessonNotFound
    return lesson


def access_person(user: User, organisation: Organisation, user_id: UUID | str) -> Membership:
    """Who belongs or has belonged to the organisation, for its staff. Raises LessonNotFound."""
    wanted = parse_id(user_id)
    require_staff(user, organisation, LessonNotFound)
    rows = Membership.objects.select_related("user").filter(organisation=organisation)
    membership = wanted and rows.filter(user_id=wanted).first()
    if not membership:
        raise LessonNotFound
    return membership


def access_worker(user: User, organisation: Organisation, agent_id: UUID | str) -> Agent:
    """An agent that staff may use, or that has been given work. Raises LessonNotFound."""
    wanted = parse_id(agent_id)
    require_staff(user, organisation, LessonNotFound)
    working = LessonTarget.objects.filter(organisation=organisation, agent=OuterRef("pk"))
    usable = Agent.objects.usable_by(user, organisation).values("pk")
    rows = Agent.objects.filter(Exists(working) | Q(pk__in=usable), organisation=organisation)
    agent = wanted and rows.filter(pk=wanted).first()
    if not agent:
        raise LessonNotFound
    return agent


def visible_targets(user: User, organisation: Organisation) -> LessonTargetQuerySet:
    """All of the organisation for staff; else the person's own and what they may take.

    Own ones that have ended stay visible as history. What an agent does for a person who made it
    is theirs to see.
    """
    rows = LessonTarget.objects.filter(organisation=organisation)
    member = Membership.objects.active().filter(user=user, organisation=OuterRef("organisation"))
    if is_staff_of(user, organisation):
        return rows
    claimable = LessonTarget.objects.claimable_by(user).filter(pk=OuterRef("pk"))
    return rows.filter(Q(user=user) | Q(agent__created_by=user) | Exists(claimable), Exists(member))


def access_target(user: User, organisation: Organisation, target_id: UUID | str) -> LessonTarget:
    """One of ``visible_targets``, with what its pages show. Raises LessonNotFound."""
    wanted = parse_id(target_id)
    target = wanted and (
        visible_targets(user, organisation)
        .select_related("organisation", "lesson", "flow", "revision", "user", "agent")
        .filter(pk=wanted)
        .first()
    )
    if not target:
        raise LessonNotFound
    return target


def access_step(target: LessonTarget, step_key: UUID | str) -> FlowStep:
    """A step of this (already permitted) target. Raises StepNotFound."""
    wanted = parse_id(step_key)
    steps = FlowStep.objects.select_related("agent").filter(revision_id=target.revision_id)
    if target.step_key is not None:
        steps = steps.filter(key=target.step_key)
    step = wanted and steps.filter(key=wanted).first()
    if not step:
        raise StepNotFound
    return step


def access_submission(user: User, organisation: Organisation, key: UUID | str) -> Submission:
    """A submission, for staff who review. Raises SubmissionNotFound."""
    wanted = parse_id(key)
    require_staff(user, organisation, SubmissionNotFound)
    found = wanted and (
        Submission.objects.select_related(
            "target__flow", "target__user", "target__agent", "target__lesson", "agent", "user"
        )
        .filter(pk=wanted, organisation=organisation)
        .first()
    )
    if not found:
        raise SubmissionNotFound
    return found
