"""What a funnel tells: how far people get in one flow, step by step, and over time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flows_app.models import FlowRevision, FlowStep, Lesson, Status, StepState


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """One step of the published revision. ``people`` have it; ``reached`` have begun it or more.

    ``on_it``: median time from the beginning to the completion; ``after``: from the assignment to
    the completion. None where nobody has completed it.
    """

    step: FlowStep
    people: int
    in_progress: int = 0
    completed: int = 0
    blocked: int = 0
    skipped: int = 0
    on_it: timedelta | None = None
    after: timedelta | None = None

    @property
    def reached(self) -> int:
        return self.in_progress + self.completed + self.blocked + self.skipped

    @property
    def not_started(self) -> int:
        return self.people - self.reached

    @property
    def on_it_text(self) -> str:
        return in_words(self.on_it)

    @property
    def after_text(self) -> str:
        return in_words(self.after)

    @property
    def bars(self) -> list[tuple[str, float, float]]:
        """``(status, start, width)`` in percent of the people, for a chart."""
        counts = (
            (Status.COMPLETED, self.completed),
            (Status.SKIPPED, self.skipped),
            (Status.IN_PROGRESS, self.in_progress),
            (Status.BLOCKED, self.blocked),
        )
        bars, start = [], 0.0
        for status, count in counts:
            width = round(100 * count / self.people, 2) if self.people else 0.0
            if width:
                bars.append((status.value, round(start, 2), width))
            start += width
        return bars


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """Steps completed in the week that begins at ``begins`` (UTC); ``height``: percent of the
    highest."""

    begins: datetime
    completed: int
    height: float

    @property
    def top(self) -> float:
        """Where its bar begins, from above, in percent."""
        return 100 - self.height


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionUse:
    revision: FlowRevision
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """All of one flow. ``people`` have it now (persons and agents); ``in_queue`` nobody took yet.

    ``percent``: the mean over the people, 0 to 100. ``blocked``: the states, longest first, with
    ``step_name``.
    """

    steps: list[FunnelStep]
    people: int
    in_queue: int
    complete: int
    not_begun: int
    overdue: int
    percent: int
    blocked: list[StepState]
    weeks: list[Week]
    revisions: list[RevisionUse]
    lessons: list[Lesson]

    @property
    def under_way(self) -> int:
        return self.people - self.complete - self.not_begun


def in_words(time: timedelta | None) -> str:
    """``at once``, ``12 min``, ``5 h`` or ``3 days``; empty for None."""
    if time is None:
        return ""
    seconds = max(0.0, time.total_seconds())
    if seconds < 60:
        return "at once" if seconds < 1 else "under a minute"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86_400)} days"
