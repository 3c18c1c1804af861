"""Agents that are given work begin with it by themselves, and go on with what opens."""

from collections.abc import Sequence

from django.db import transaction

from flows_app.models import (
    FlowProgress,
    FlowStep,
    Lesson,
    LessonTarget,
    Status,
    StepKind,
    Submission,
)
from flows_app.runtime.actors import Actor
from flows_app.runtime.progress import waits_for
from flows_app.runtime.transitions import DONE
from flows_app.services.agent_steps import request_agent_task
from flows_app.services.following import on_assigned, on_moved
from flows_app.services.reading import course_lock, statuses_of, steps_of
from one_project.common.errors import AppError


@on_assigned
def begin_when_assigned(lesson: Lesson, targets: Sequence[LessonTarget], by: Actor) -> None:
    """An agent that is given work begins with what is open at once.

    Of thousands of people nothing is asked: agents get work one at a time.
    """
    own = [one for one in targets if one.agent_id is not None]
    first = min((one.position for one in own), default=0)
    in_order = lesson.course is not None and lesson.course.in_order
    for target in own:
        if target.position == first or not in_order:
            begin_open_steps(target, by)


@on_moved
def begin_when_unlocked(
    target: LessonTarget, step: FlowStep, entry: FlowProgress, by: Actor
) -> None:
    """An agent goes on with what a done step has unlocked, also in the next flow of its course."""
    if target.agent_id is None or entry.status not in DONE:
        return
    begin_open_steps(target, by)
    lesson = target.lesson
    if lesson.course_id is None:
        return
    later = lesson.targets.active().filter(agent=target.agent_id, position__gt=target.position)
    following = later.order_by("position").select_related("lesson__course", "organisation").first()
    if following is not None:
        begin_open_steps(following, by)


def begin_open_steps(target: LessonTarget, by: Actor) -> None:
    """What is for an agent, is not done, has never been asked for and is not locked.

    At most the steps of one revision. What cannot begin now (its agent was switched off) waits for
    somebody to ask: it must not take back what has led to this.
    """
    steps = steps_of(target)
    tasks = [one for one in steps if one.kind == StepKind.AGENT_TASK]
    if not tasks or course_lock(target):
        return
    statuses = statuses_of([target])[target.pk]
    asked = set(Submission.objects.filter(target=target).values_list("step_key", flat=True))
    # Nobody has asked in person where an agent's own word has led to it.
    who = Actor(user=by.user) if by.user is not None else Actor()
    for one in tasks:
        if statuses.get(one.key) in {*DONE, Status.BLOCKED} or one.key in asked:
            continue
        if waits_for(one, steps, statuses):
            continue
        try:
            with transaction.atomic():
                request_agent_task(target, one, by=who)
        except AppError:
            continue
