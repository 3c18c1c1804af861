"""The steps of a page as bars: one lane each for those that overlap in time.

Places are percentages, so that the drawing needs no script and no style, and fits any width. Time
is not to scale: a stretch in which nothing begins or ends is as long as a root of its duration, or
the milliseconds of work between two days of waiting could not be seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.reading import StepEntry
from one_project.workflows.types import Kind

MAX_LANES = 50
LANE_HEIGHT = 24
BAR_HEIGHT = 18
LEAST_WIDTH = 0.6  # per cent: what was over at once can still be seen
ROOT = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One step. The first part of it, up to ``begun`` (in per cent of the bar), it waited."""

    entry: StepEntry
    lane: int
    x: float
    width: float
    begun: float

    @property
    def ran(self) -> float:
        return round(100 - self.begun, 2)

    @property
    def y(self) -> int:
        return self.lane * LANE_HEIGHT + (LANE_HEIGHT - BAR_HEIGHT) // 2

    @property
    def has_room(self) -> bool:
        """Whether its name fits into it, roughly."""
        return self.width >= 5


@dataclass(frozen=True, slots=True)
class Timeline:
    bars: list[Bar]
    lanes: int
    left_out: int
    begin: datetime
    end: datetime
    is_open: bool

    @property
    def height(self) -> int:
        return max(self.lanes, 1) * LANE_HEIGHT


def draw(run: WorkflowRun, entries: Sequence[StepEntry], now: datetime) -> Timeline | None:
    """The timeline of these steps; none without steps."""
    if not entries:
        return None
    spans = [_span(entry, now) for entry in entries]
    begin, end = min(span[0] for span in spans), max(span[2] for span in spans)
    places = _places({moment for span in spans for moment in span})
    lanes: list[datetime] = []
    bars = []
    for entry, (start, begun, stop) in sorted(
        zip(entries, spans, strict=True), key=lambda pair: (pair[1][0], pair[0].step.n)
    ):
        lane = next((i for i, free in enumerate(lanes) if free <= start), len(lanes))
        if lane == MAX_LANES:
            continue
        lanes[lane : lane + 1] = [stop]
        x, width = places[start], places[stop] - places[start]
        bars.append(
            Bar(
                entry=entry,
                lane=lane,
                x=round(min(x, 100 - LEAST_WIDTH), 2),
                width=round(max(width, LEAST_WIDTH), 2),
                begun=round(100 * (places[begun] - x) / width, 2) if width else 0.0,
            )
        )
    left_out = len(entries) - len(bars)
    return Timeline(bars, len(lanes), left_out, begin, end, run.is_open)


def _span(entry: StepEntry, now: datetime) -> tuple[datetime, datetime, datetime]:
    """When the step was begun, when a worker first had it, and when it ended (or now)."""
    step = entry.step
    # A transaction's row is written when it is executed.
    start = min(step.created_at, step.started_at or step.created_at)
    stop = max(step.finished_at or now, start)
    if step.kind in {Kind.ACTION, Kind.TRANSACTION}:
        return start, min(max(step.started_at or stop, start), stop), stop
    return start, stop, stop


def _places(moments: set[datetime]) -> dict[datetime, float]:
    """Each moment in per cent of the width."""
    ordered = sorted(moments)
    place, places = 0.0, {ordered[0]: 0.0}
    for earlier, later in pairwise(ordered):
        place += (later - earlier).total_seconds() ** ROOT
        places[later] = place
    return {moment: 100 * at / place if place else 0.0 for moment, at in places.items()}
