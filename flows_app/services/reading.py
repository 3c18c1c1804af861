"""What pages and tools show of a target: its steps, where they stand, what locks them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from flows_app.models import (
    FlowProgress,
    FlowStep,
    LessonTarget,
    Status,
    StepState,
    Submission,
)
from flows_app.runtime.progress import Share, share_of, waits_for, why_locked
from flows_app.runtime.rules import completion_rule
from flows_app.runtime.transitions import DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """A step of a target as it stands now. ``state`` and ``submission`` (the latest) may be None.

    ``locked``: why it cannot be begun, in words; empty where it can. ``due_at`` in UTC. ``counts``:
    whether the assignment is complete only with it.
    """

    step: FlowStep
    state: StepState | None
    submission: Submission | None
    status: str
    locked: str
    due_at: datetime | None
    rule: str
    counts: bool

    @property
    def version(self) -> int:
        return self.state.version if self.state else 0

    @property
    def is_done(self) -> bool:
        return self.status in DONE

    @property
    def is_overdue(self) -> bool:
        return not self.is_done and self.due_at is not None and self.due_at < timezone.now()


def steps_of(target: LessonTarget) -> list[FlowStep]:
    """In order; of an assignment of one step only that one."""
    return steps_of_revision(target.revision_id, target.step_key)


def steps_of_revision(revision_id: UUID, step_key: UUID | None = None) -> list[FlowStep]:
    rows = FlowStep.objects.filter(revision_id=revision_id).select_related("agent")
    if step_key is not None:
        rows = rows.filter(key=step_key)
    return list(rows.order_by("position"))


def step_due(target: LessonTarget, step: FlowStep, state: StepState | None) -> datetime | None:
    """Set for this one, or so many days after the assignment, or None."""
    if state is not None and state.due_at is not None:
        return state.due_at
    if step.due_days is None:
        return None
    return target.assigned_at + timedelta(days=step.due_days)


def lines_of(target: LessonTarget) -> list[StepLine]:
    """All steps of the target as they stand. Four queries, one more within a course."""
    steps = steps_of(target)
    states = {state.step_key: state for state in _states([target])}
    statuses = {key: state.status for key, state in states.items()}
    submissions = {
        one.step_key: one
        for one in Submission.objects.filter(target=target)
        .select_related("agent", "user", "reviewed_by")
        .order_by("number")
    }
    before = course_lock(target)
    lines = []
    for step in steps:
        state = states.get(step.key)
        status = state.status if state else Status.NOT_STARTED
        locked = before or why_locked(waits_for(step, steps, statuses))
        lines.append(
            StepLine(
                step=step,
                state=state,
                submission=submissions.get(step.key),
                status=status,
                locked=locked if status == Status.NOT_STARTED else "",
                due_at=step_due(target, step, state),
                rule=completion_rule(step),
                counts=step.is_required or step.key == target.step_key,
            )
        )
    return lines


def share_of_lines(lines: Sequence[StepLine]) -> Share:
    """Of the target whose lines they are."""
    counted = [one for one in lines if one.counts]
    return Share(sum(one.is_done for one in counted), len(counted))


def course_lock(target: LessonTarget) -> str:
    """Why a flow of a course in order cannot be begun yet; empty where it can."""
    lesson = target.lesson
    if lesson.course_id is None or not target.position or not lesson.course.in_order:  # type: ignore[union-attr]
        return ""
    earlier = list(
        lesson.targets.filter(
            position__lt=target.position,
            user=target.user,
            agent=target.agent,
            ended_at=None,
        )
        .select_related("flow")
        .order_by("position")
    )
    shares = shares_of(earlier)
    names = [f"“{one.flow.name}”" for one in earlier if not shares[one.pk].is_complete]
    return f"Opens when {names[0]} is complete." if names else ""


def shares_of(targets: Sequence[LessonTarget]) -> dict[UUID, Share]:
    """How much of each is done, by target id. Two queries for all of them."""
    revisions = {one.revision_id for one in targets}
    steps: dict[UUID, list[FlowStep]] = {key: [] for key in revisions}
    rows = FlowStep.objects.filter(revision_id__in=revisions)
    for step in rows.only("key", "revision_id", "is_required", "position"):
        steps[step.revision_id].append(step)
    statuses = statuses_of(targets)
    return {
        one.pk: share_of(
            [
                step
                for step in steps[one.revision_id]
                if one.step_key is None or step.key == one.step_key
            ],
            statuses[one.pk],
            one.step_key,
        )
        for one in targets
    }


def statuses_of(targets: Iterable[LessonTarget]) -> dict[UUID, dict[UUID, str]]:
    """Status by step key by target id; missing steps are Not Started. One query."""
    found: dict[UUID, dict[UUID, str]] = {one.pk: {} for one in targets}
    rows = StepState.objects.filter(target_id__in=list(found))
    for target_id, key, status in rows.values_list("target_id", "step_key", "status"):
        found[target_id][key] = status
    return found


def history_of(target: LessonTarget, *, step_key: UUID | None = None) -> list[FlowProgress]:
    """The log, newest first, with who said it."""
    rows = target.log.select_related("actor", "actor_agent").order_by("-seq")
    return list(rows.filter(step_key=step_key) if step_key else rows)


def states_by_key(target: LessonTarget) -> Mapping[UUID, StepState]:
    return {state.step_key: state for state in _states([target])}


def _states(targets: Sequence[LessonTarget]) -> Iterable[StepState]:
    rows = StepState.objects.filter(target__in=targets)
    return rows.select_related("changed_by", "changed_by_agent")
