"""Assignments as lines to work through: where each stands, what comes next, what is urgent.

A fixed number of queries, however many assignments there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone

from flows_app.models import (
    FlowStep,
    LessonTarget,
    Status,
    StepState,
    Submission,
    SubmissionStatus,
)
from flows_app.models.lessons import LessonTargetQuerySet
from flows_app.models.submissions import OPEN
from flows_app.runtime.progress import Share, share_of, waits_for
from flows_app.runtime.transitions import DONE
from flows_app.services.reading import step_due

# What counts as due soon.
SOON: Final = timedelta(days=7)

# Sections of the list, the most urgent first, with their names for people.
SECTIONS: Final = {
    "overdue": "Overdue",
    "soon": "Due soon",
    "blocked": "Blocked",
    "waiting": "Waiting for review",
    "progress": "In progress",
    "new": "Not begun",
    "done": "Done",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkLine:
    """One assignment as it stands now.

    ``next_step``: what can be done next; None where all is done, or nothing can be done by the
    assignee. ``due_at``: the earliest date among the assignment and its open steps, in UTC.
    ``blocked``: the steps that are Blocked with their reasons. ``waiting``: names of steps that
    wait for a review or an agent. ``sent_back``: names of steps a review has sent back.
    ``locked``: why the flow cannot be begun yet.
    """

    target: LessonTarget
    share: Share
    status: str
    next_step: FlowStep | None
    due_at: datetime | None
    blocked: tuple[tuple[str, str], ...] = ()
    waiting: tuple[str, ...] = ()
    sent_back: tuple[str, ...] = ()
    locked: str = ""

    @property
    def is_done(self) -> bool:
        return self.share.is_complete

    @property
    def is_overdue(self) -> bool:
        return not self.is_done and self.due_at is not None and self.due_at < timezone.now()

    @property
    def is_soon(self) -> bool:
        soon = timezone.now() + SOON
        return not self.is_done and not self.is_overdue and bool(self.due_at and self.due_at < soon)

    @property
    def section(self) -> str:
        """Where it stands in the list: the most urgent of ``SECTIONS`` that is true of it."""
        true_of = {
            "done": self.is_done,
            "overdue": self.is_overdue,
            "soon": self.is_soon,
            "blocked": bool(self.blocked),
            "waiting": bool(self.waiting) and self.next_step is None,
            "progress": self.status == Status.IN_PROGRESS,
        }
        order = ("done", "overdue", "soon", "blocked", "waiting", "progress")
        return next((name for name in order if true_of[name]), "new")

    @property
    def course_name(self) -> str:
        course = self.target.lesson.course
        return course.name if course is not None else ""


def counts_of(lines: Sequence[WorkLine]) -> dict[str, int]:
    """How many are overdue, blocked and so on; one line may count at several."""
    return {
        "all": len(lines),
        "overdue": sum(line.is_overdue for line in lines),
        "soon": sum(line.is_soon for line in lines),
        "progress": sum(line.status == Status.IN_PROGRESS for line in lines),
        "blocked": sum(bool(line.blocked) for line in lines),
        "waiting": sum(bool(line.waiting) for line in lines),
        "new": sum(line.status == Status.NOT_STARTED for line in lines),
        "done": sum(line.is_done for line in lines),
    }


def lines_for(rows: LessonTargetQuerySet) -> list[WorkLine]:
    """A line for each target, by urgency. Four queries."""
    targets = list(
        rows.select_related("flow", "lesson__course", "user", "agent").order_by("assigned_at", "pk")
    )
    steps = _steps(targets)
    states: dict[UUID, dict[UUID, StepState]] = defaultdict(dict)
    found = StepState.objects.filter(target__in=targets)
    for state in found.only("target_id", "step_key", "status", "due_at", "reason"):
        states[state.target_id][state.step_key] = state
    submissions = _submissions(targets)
    shares = {
        one.pk: share_of(steps[one.pk], _statuses(steps[one.pk], states[one.pk]), one.step_key)
        for one in targets
    }
    locks = _course_locks(targets, shares)
    lines = [
        _line(
            one,
            steps[one.pk],
            states[one.pk],
            submissions[one.pk],
            shares[one.pk],
            locks.get(one.pk, ""),
        )
        for one in targets
    ]
    far = timezone.now() + timedelta(days=36_500)
    order = list(SECTIONS)
    return sorted(lines, key=lambda line: (order.index(line.section), line.due_at or far))


def _steps(targets: Iterable[LessonTarget]) -> dict[UUID, list[FlowStep]]:
    """The steps of each target in order; of an assignment of one step only that one."""
    by_revision: dict[UUID, list[FlowStep]] = defaultdict(list)
    rows = FlowStep.objects.filter(revision_id__in={one.revision_id for one in targets})
    for step in rows.defer("content", "settings").order_by("position"):
        by_revision[step.revision_id].append(step)
    return {
        one.pk: [
            step
            for step in by_revision[one.revision_id]
            if one.step_key is None or step.key == one.step_key
        ]
        for one in targets
    }


def _submissions(targets: Iterable[LessonTarget]) -> dict[UUID, dict[UUID, str]]:
    """The status of the latest try that is open or was sent back, by step, by target."""
    found: dict[UUID, dict[UUID, str]] = defaultdict(dict)
    rows = Submission.objects.filter(
        target__in=targets, status__in=[*OPEN, SubmissionStatus.REJECTED]
    ).order_by("number")
    for target_id, key, status in rows.values_list("target_id", "step_key", "status"):
        found[target_id][key] = status
    return found


def _statuses(steps: Sequence[FlowStep], states: dict[UUID, StepState]) -> dict[UUID, str]:
    """Of the steps of this revision only: what belonged to an earlier one counts no more."""
    return {
        step.key: states[step.key].status if step.key in states else Status.NOT_STARTED
        for step in steps
    }


def _course_locks(targets: Iterable[LessonTarget], shares: dict[UUID, Share]) -> dict[UUID, str]:
    """Why flows of courses in order cannot be begun; as ``reading.course_lock`` says it."""
    together: dict[tuple[object, ...], list[LessonTarget]] = defaultdict(list)
    for one in targets:
        course = one.lesson.course
        if course is not None and course.in_order and one.ended_at is None:
            together[one.lesson_id, one.user_id, one.agent_id].append(one)
    locks = {}
    for group in together.values():
        waits_on = ""
        for one in sorted(group, key=lambda one: one.position):
            if waits_on:
                locks[one.pk] = f"Opens when “{waits_on}” is complete."
            elif not shares[one.pk].is_complete:
                waits_on = one.flow.name
    return locks


def _line(
    target: LessonTarget,
    steps: list[FlowStep],
    states: dict[UUID, StepState],
    submissions: dict[UUID, str],
    share: Share,
    locked: str,
) -> WorkLine:
    statuses = _statuses(steps, states)
    left = [step for step in steps if statuses[step.key] not in DONE]
    waiting = [step for step in left if submissions.get(step.key) in OPEN]
    sent_back = [step for step in left if submissions.get(step.key) == SubmissionStatus.REJECTED]
    blocked = [step for step in left if statuses[step.key] == Status.BLOCKED]
    can = [
        step
        for step in left
        if step not in waiting and step not in blocked and not waits_for(step, steps, statuses)
    ]
    # What was begun comes first, then what the order of the flow says.
    can.sort(key=lambda step: (statuses[step.key] != Status.IN_PROGRESS, step.position))
    dues = [step_due(target, step, states.get(step.key)) for step in left]
    return WorkLine(
        target=target,
        share=share,
        status=_status(share, statuses, is_blocked=bool(blocked)),
        next_step=can[0] if can and not locked and target.ended_at is None else None,
        due_at=min((at for at in (target.due_at, *dues) if at is not None), default=None),
        blocked=tuple((step.name, states[step.key].reason) for step in blocked),
        waiting=tuple(step.name for step in waiting),
        sent_back=tuple(step.name for step in sent_back),
        locked=locked if not share.is_complete else "",
    )


def _status(share: Share, statuses: dict[UUID, str], *, is_blocked: bool) -> str:
    """Of the whole: Completed, else Blocked where a step is, else whether anything was done."""
    if share.is_complete:
        return Status.COMPLETED
    if is_blocked:
        return Status.BLOCKED
    begun = any(status != Status.NOT_STARTED for status in statuses.values())
    return Status.IN_PROGRESS if begun else Status.NOT_STARTED
