"""What the lesson player shows of a target: its steps, the one that is open, and around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from agents_app.models import StoredFile
from chat_app.access import is_staff_of
from flows_app.models import (
    FlowProgress,
    LessonTarget,
    Status,
    StepKind,
    StepState,
    Submission,
)
from flows_app.models.submissions import OPEN
from flows_app.runtime.answers import in_words
from flows_app.runtime.progress import Share
from flows_app.runtime.rules import missing_of
from flows_app.runtime.transitions import ALLOWED
from flows_app.services.claiming import claimable
from flows_app.services.handing_in import files_of
from flows_app.services.reading import (
    StepLine,
    history_of,
    lines_of,
    share_of_lines,
    shares_of,
)
from one_project.accounts.models import User

# Entries of the history that a page shows, newest first.
SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """One target as one person sees it. ``line``: the step that is open; None when none is.

    ``own``: the viewer has to do it. ``may_take``: it lies in a queue of theirs. ``course``: the
    flows of the course it is part of, each with its share. ``attempts``: earlier ones, newest
    first. ``files``: of the open step.
    """

    target: LessonTarget
    lines: list[StepLine]
    line: StepLine | None
    own: bool
    staff: bool
    may_take: bool
    share: Share
    history: list[FlowProgress]
    course: list[tuple[LessonTarget, Share]]
    attempts: list[LessonTarget]
    files: list[StoredFile]

    @property
    def state(self) -> StepState | None:
        return self.line.state if self.line else None

    @property
    def work(self) -> dict[str, Any]:
        return self.state.work if self.state else {}

    @property
    def is_live(self) -> bool:
        """Not withdrawn, restarted or given to somebody else."""
        return self.target.ended_at is None

    @property
    def is_assigned(self) -> bool:
        """To somebody; else it lies in a queue."""
        return self.target.user_id is not None or self.target.agent_id is not None

    @property
    def waiting(self) -> Submission | None:
        """What of the open step waits: for a review, or for an agent."""
        found = self.line.submission if self.line else None
        return found if found is not None and found.status in OPEN else None

    @property
    def is_open(self) -> bool:
        """Begun or ready to be, and not waiting for anybody: something can be entered."""
        line = self.line
        if line is None or not self.is_live or line.locked or self.waiting:
            return False
        return line.status in {Status.NOT_STARTED, Status.IN_PROGRESS}

    @property
    def may_work(self) -> bool:
        return self.own and self.is_open

    @property
    def may_finish(self) -> bool:
        """Whether the button that says “done” is theirs; ``missing`` says what is in its way."""
        line = self.line
        if line is None or not self.may_work:
            return False
        kind = line.step.kind
        if kind in {StepKind.AGENT_TASK, StepKind.WORKFLOW, StepKind.FORM}:
            return False
        if kind == StepKind.CHECKLIST and not line.step.is_reviewed:
            return False  # the last tick does it
        return kind != StepKind.CHAT or line.status == Status.IN_PROGRESS

    @property
    def missing(self) -> str:
        return missing_of(self.line.step, self.work) if self.line else ""

    @property
    def moves(self) -> list[str]:
        """What staff may set the step to."""
        if self.line is None or not self.staff or not self.is_live:
            return []
        wanted = ALLOWED[self.line.status]
        shut = {Status.IN_PROGRESS, Status.COMPLETED} if self.line.locked else set()
        own_review = {Status.COMPLETED} if self.own and self.line.step.is_reviewed else set()
        return [one for one in wanted if one not in shut | own_review]

    @property
    def place(self) -> int:
        return self.lines.index(self.line) + 1 if self.line else 0

    @property
    def keys(self) -> list[tuple[str, str]]:
        """What opens the locked step: name and address of each."""
        line = self.line
        if line is None or not line.locked:
            return []
        wanted = set(line.step.prerequisites)
        steps = [one for one in self.lines if one.step.key in wanted and not one.is_done]
        earlier = [one for one, share in self.course if not share.is_complete]
        if self.target.lesson.course_id and earlier and earlier[0].position < self.target.position:
            return [(earlier[0].flow.name, f"/lessons/{earlier[0].pk}/")]
        return [
            (one.step.name, f"/lessons/{self.target.pk}/steps/{one.step.key}/") for one in steps
        ]

    @property
    def room(self) -> int:
        """How many more files the step takes."""
        most = self.line.step.settings.get("max_files", 1) if self.line else 0
        return max(0, int(most) - len(self.work.get("files", [])))

    @property
    def course_place(self) -> str:
        """``Part 2 of 3``."""
        places = [one.pk for one, _ in self.course]
        if self.target.pk not in places:
            return ""
        return f"Part {places.index(self.target.pk) + 1} of {len(places)}"

    @property
    def before(self) -> StepLine | None:
        return self._beside(-1)

    @property
    def after(self) -> StepLine | None:
        return self._beside(1)

    def _beside(self, by: int) -> StepLine | None:
        at = self.lines.index(self.line) + by if self.line else -1
        return self.lines[at] if 0 <= at < len(self.lines) else None

    @property
    def next_open(self) -> StepLine | None:
        """Where to go on: the first open step after this one, else the first of all."""
        at = self.lines.index(self.line) if self.line else 0
        order = [*self.lines[at + 1 :], *self.lines[:at]] if self.line else self.lines
        return next((one for one in order if not one.is_done and not one.locked), None)

    @property
    def next_flow(self) -> LessonTarget | None:
        """Of the course: the next one that is not complete."""
        after = [one for one in self.course if one[0].position > self.target.position]
        return next((one for one, share in after if not share.is_complete), None)

    @property
    def answers(self) -> list[tuple[str, str]]:
        """Of a form, to be read: label and answer."""
        given = self.work.get("answers", {})
        fields = self.line.step.fields if self.line else []
        return [(one["label"], in_words(one, given.get(one["id"]))) for one in fields]

    @property
    def is_typable(self) -> bool:
        """Whether the page holds a box in which somebody may be typing."""
        return bool(self.moves) or (
            self.own
            and self.is_live
            and self.line is not None
            and not self.line.is_done
            and not self.line.locked
        )

    @property
    def version(self) -> str:
        """Of all that the page shows: another one means that it has changed."""
        shown = [
            (
                one.version,
                one.status,
                one.locked,
                one.due_at,
                one.submission and (one.submission.pk, one.submission.updated_at),
                one.state and (one.state.proposed, one.state.work.get("thread")),
            )
            for one in self.lines
        ]
        around = [(one.pk, share.done, share.total) for one, share in self.course]
        text = repr((self.target.seq, self.target.user_id, self.is_live, shown, around))
        return sha256(text.encode()).hexdigest()[:16]


def playing(target: LessonTarget, *, viewer: User, step_key: UUID | None = None) -> Playing:
    """The target with ``step_key`` open; without: the first step that can be worked on, or none
    where all that counts is done. A fixed number of queries."""
    lines = lines_of(target)
    share = share_of_lines(lines)
    line = None
    if step_key is not None:
        line = next((one for one in lines if one.step.key == step_key), None)
    elif not share.is_complete:
        left = [one for one in lines if not one.is_done]
        line = next((one for one in left if not one.locked), left[0] if left else None)
    history = history_of(target)
    if line is not None:
        history = [one for one in history if one.step_key in {None, line.step.key}]
    submission = line.submission if line else None
    return Playing(
        target=target,
        lines=lines,
        line=line,
        own=target.user_id == viewer.pk,
        staff=is_staff_of(viewer, target.organisation_id),
        may_take=_may_take(target, viewer),
        share=share,
        history=history[:SHOWN],
        course=_course_of(target),
        attempts=_attempts_before(target),
        files=files_of(
            target,
            line.state.work if line and line.state else {},
            submission.work if submission and submission.status in OPEN else {},
        ),
    )


def _may_take(target: LessonTarget, viewer: User) -> bool:
    if target.user_id is not None or target.agent_id is not None:
        return False
    return claimable(viewer, target.organisation).filter(pk=target.pk).exists()


def _course_of(target: LessonTarget) -> list[tuple[LessonTarget, Share]]:
    if target.lesson.course_id is None:
        return []
    rows: Sequence[LessonTarget] = list(
        target.lesson.targets.filter(user=target.user, agent=target.agent, ended_at=None)
        .select_related("flow")
        .order_by("position")
    )
    shares = shares_of(rows)
    return [(one, shares[one.pk]) for one in rows]


def _attempts_before(target: LessonTarget) -> list[LessonTarget]:
    if target.attempt == 1 or (target.user_id is None and target.agent_id is None):
        return []
    return list(
        LessonTarget.objects.filter(
            organisation_id=target.organisation_id,
            flow_id=target.flow_id,
            step_key=target.step_key,
            user=target.user,
            agent=target.agent,
            attempt__lt=target.attempt,
        ).order_by("-attempt")
    )
