"""Who stands where in a flow: people by steps. A fixed number of queries, whatever the size."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db.models import Count
from django.utils import timezone

from flows_app.models import Flow, FlowStep, LessonTarget, Status, StepState
from flows_app.models.lessons import LessonTargetQuerySet
from flows_app.runtime.progress import Share, share_of
from flows_app.runtime.transitions import DONE
from flows_app.services.filtering import Wanted, select_targets, sorted_targets
from flows_app.services.reading import step_due
from one_project.accounts.models import User

# People that are looked up at a time where all of them are wanted.
BATCH: Final = 250


class Cell(NamedTuple):
    """A step of a row. ``position``: in the row's own revision. ``changed_at``: UTC or None."""

    position: int
    status: str
    is_late: bool
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Row:
    """One assignment. ``cells`` go with the columns; None: not a step of this one."""

    target: LessonTarget
    share: Share
    cells: list[Cell | None]
    is_late: bool

    @property
    def name(self) -> str:
        return self.target.assignee_name


@dataclass(frozen=True, slots=True)
class Column:
    """A step, as the newest revision has it. ``is_current``: that revision still has it."""

    key: UUID
    name: str
    kind: str
    is_required: bool
    is_current: bool


@dataclass(frozen=True, slots=True)
class Total:
    """Of one column: how many have the step, and of them are done with it, or blocked."""

    people: int
    done: int
    blocked: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """``rows`` from ``offset`` on; ``count``: of all. ``totals`` (of all rows) go with columns."""

    columns: list[Column]
    rows: list[Row]
    totals: list[Total]
    count: int
    offset: int


class Grid:
    """The steps of all revisions in use of a flow: columns, and the cells of targets. A query."""

    def __init__(self, flow: Flow) -> None:
        in_use = LessonTarget.objects.active().filter(flow=flow).values("revision")
        rows = FlowStep.objects.filter(revision__flow=flow).filter(revision__in=in_use)
        if flow.published_id is not None:
            rows |= FlowStep.objects.filter(revision=flow.published_id)
        self.steps: dict[UUID, list[FlowStep]] = {}
        self.numbers: dict[UUID, int] = {}
        found = rows.select_related("revision").defer("content", "settings")
        for step in found.order_by("-revision__number", "position"):
            self.steps.setdefault(step.revision_id, []).append(step)
            self.numbers[step.revision_id] = step.revision.number
        newest = next(iter(self.steps), None)
        columns: dict[UUID, Column] = {}
        for revision, steps in self.steps.items():
            for step in steps:
                if step.key not in columns:
                    columns[step.key] = Column(
                        step.key, step.name, step.kind, step.is_required, revision == newest
                    )
        self.columns = list(columns.values())

    def totals(self, rows: LessonTargetQuerySet) -> tuple[int, list[Total]]:
        """How many rows there are, and the sum of each column. Two queries."""
        people: Counter[UUID] = Counter()
        groups = rows.order_by().values_list("revision", "step_key").annotate(n=Count("pk"))
        count = 0
        for revision, only, n in groups:
            count += n
            for step in self.steps.get(revision, ()):
                if only is None or step.key == only:
                    people[step.key] += n
        by_status: Counter[tuple[UUID, str]] = Counter()
        states = StepState.objects.filter(target__in=rows.order_by().values("pk"))
        # By revision too: a target that was moved keeps the states of steps it no longer has.
        grouped = states.values_list("step_key", "status", "target__revision").annotate(
            n=Count("pk")
        )
        keys = {revision: {step.key for step in steps} for revision, steps in self.steps.items()}
        for key, status, revision, n in grouped:
            if key in keys.get(revision, ()):
                by_status[key, status] += n
        return count, [
            Total(
                people[one.key],
                sum(by_status[one.key, status] for status in DONE),
                by_status[one.key, Status.BLOCKED],
            )
            for one in self.columns
        ]

    def rows(self, targets: Sequence[LessonTarget]) -> list[Row]:
        """Where each stands in each step. One query."""
        now = timezone.now()
        states: dict[UUID, dict[UUID, tuple[str, datetime | None, datetime | None]]] = {
            one.pk: {} for one in targets
        }
        found = StepState.objects.filter(target__in=[one.pk for one in targets])
        for target, key, status, due, changed in found.values_list(
            "target_id", "step_key", "status", "due_at", "changed_at"
        ):
            states[target][key] = (status, due, changed)
        places = {column.key: at for at, column in enumerate(self.columns)}
        return [self._row(one, states[one.pk], places, now) for one in targets]

    def _row(
        self,
        target: LessonTarget,
        states: dict[UUID, tuple[str, datetime | None, datetime | None]],
        places: dict[UUID, int],
        now: datetime,
    ) -> Row:
        steps = self.steps.get(target.revision_id, [])
        if target.step_key is not None:
            steps = [step for step in steps if step.key == target.step_key]
        cells: list[Cell | None] = [None] * len(places)
        fresh = (Status.NOT_STARTED.value, None, None)
        late = False
        for step in steps:
            status, due, changed = states.get(step.key, fresh)
            is_late = False
            if status not in DONE:
                due = due or (step_due(target, step, None) if step.due_days is not None else None)
                is_late = due is not None and due < now
            late = late or is_late
            cells[places[step.key]] = Cell(step.position, status, is_late, changed)
        share = share_of(steps, {key: state[0] for key, state in states.items()}, target.step_key)
        is_due = target.due_at is not None and target.due_at < now and not share.is_complete
        return Row(target, share, cells, late or is_due)


def matrix_of(flow: Flow, wanted: Wanted, *, by: User, offset: int, limit: int) -> Matrix:
    """The part that is shown. Five queries."""
    grid = Grid(flow)
    rows = _targets(flow, wanted, by)
    count, totals = grid.totals(rows)
    shown = sorted_targets(rows, wanted.sort).select_related("user", "agent")
    targets = list(shown[offset : offset + limit])
    return Matrix(grid.columns, grid.rows(targets), totals, count, offset)


def all_rows(flow: Flow, wanted: Wanted, *, by: User) -> tuple[Grid, Iterator[Row]]:
    """Every row, a batch at a time: only their ids are held together."""
    grid = Grid(flow)
    keys = list(
        sorted_targets(_targets(flow, wanted, by), wanted.sort).values_list("pk", flat=True)
    )

    def rows() -> Iterator[Row]:
        for batch in batches(keys):
            found = LessonTarget.objects.select_related("user", "agent").in_bulk(batch)
            yield from grid.rows([found[key] for key in batch if key in found])

    return grid, rows()


def batches(keys: Sequence[UUID]) -> Iterable[Sequence[UUID]]:
    return (keys[at : at + BATCH] for at in range(0, len(keys), BATCH))


def _targets(flow: Flow, wanted: Wanted, by: User) -> LessonTargetQuerySet:
    return select_targets(flow.organisation, wanted, by=by).filter(flow=flow)
