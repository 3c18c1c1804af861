"""The steps of everybody by status, as cards. A fixed number of queries, whatever the size."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import (
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.utils import timezone

from flows_app.models import FlowStep, LessonTarget, Status, StepState
from flows_app.models.lessons import LessonTargetQuerySet
from flows_app.runtime.progress import waits_for, why_locked
from flows_app.runtime.transitions import ALLOWED, DONE
from flows_app.services.filtering import Wanted, has_step, is_of_revision, select_targets
from flows_app.services.matrix import batches
from flows_app.services.reading import statuses_of, step_due
from one_project.accounts.models import Organisation, User

PAGE: Final = 20
# A column is counted so far; what lies beyond is "1000+".
COUNTED: Final = 1_000
# Cards of one column that a page can hold.
MOST: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One step of one assignment. ``locked``: why it cannot be begun yet. Times in UTC."""

    target: LessonTarget
    step: FlowStep
    status: str
    version: int = 0
    due_at: datetime | None = None
    changed_at: datetime | None = None
    changed_by: str = ""
    reason: str = ""
    notes: str = ""
    locked: str = ""

    @property
    def who(self) -> str:
        return self.target.assignee_name

    @property
    def is_overdue(self) -> bool:
        return self.status not in DONE and self.due_at is not None and self.due_at < timezone.now()

    @property
    def ways(self) -> tuple[str, ...]:
        """What it can become."""
        return tuple(str(status) for status in ALLOWED[self.status])


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """``cards``: the first ones, the latest change first; ``count``: of all, up to ``COUNTED``."""

    status: str
    cards: list[Card]
    count: int

    @property
    def counted(self) -> str:
        return f"{COUNTED}+" if self.count > COUNTED else str(self.count)

    @property
    def has_more(self) -> bool:
        return len(self.cards) < min(self.count, MOST)


def board_of(
    organisation: Organisation, wanted: Wanted, *, by: User, shown: Mapping[str, int]
) -> list[BoardColumn]:
    """All five columns, or the one of ``wanted.status``; ``shown``: cards of each, by status.

    What is Not Started is shown by the next step of each assignment only.
    """
    targets = select_targets(organisation, wanted, by=by)
    statuses = [wanted.status] if wanted.status else Status.values
    most = {status: min(shown.get(status, PAGE), MOST) for status in statuses}
    cards: dict[str, list[Card]] = {}
    counts: dict[str, int] = {}
    keys: dict[str, list[UUID]] = {}
    for status in statuses:
        if status == Status.NOT_STARTED:
            waiting = _not_started(targets)
            cards[status] = _next_cards(list(waiting[: most[status]]))
            counts[status] = waiting[: COUNTED + 1].count()
        else:
            # Sorted by their ids alone; what the cards show is read for all columns together.
            states = _states(organisation, targets, status, wanted)
            keys[status] = list(states.values_list("pk", flat=True)[: most[status]])
            counts[status] = states[: COUNTED + 1].count()
    found = _cards_of([key for one in keys.values() for key in one])
    for status, wanted_keys in keys.items():
        cards[status] = [found[key] for key in wanted_keys if key in found]
    return [BoardColumn(status, cards[status], counts[status]) for status in statuses]


def card_of(target: LessonTarget, step: FlowStep) -> Card:
    """One card as it is now, for a target that the asker may see."""
    rows = StepState.objects.select_related("changed_by", "changed_by_agent")
    state = rows.filter(target=target, step_key=step.key).first()
    if state is not None:
        return _card(state, target, step)
    return Card(
        target=target, step=step, status=Status.NOT_STARTED, due_at=step_due(target, step, None)
    )


def all_cards(organisation: Organisation, wanted: Wanted, *, by: User) -> Iterator[Card]:
    """Every card in the order of the board, a batch at a time: only ids are held together."""
    targets = select_targets(organisation, wanted, by=by)
    for status in [wanted.status] if wanted.status else Status.values:
        make: Callable[[Sequence[UUID]], list[Card]]
        if status == Status.NOT_STARTED:
            keys = list(_not_started(targets).values_list("pk", flat=True))
            make = _next_of
        else:
            states = _states(organisation, targets, status, wanted)
            keys = list(states.values_list("pk", flat=True))
            make = _ordered
        for batch in batches(keys):
            yield from make(batch)


def _next_of(keys: Sequence[UUID]) -> list[Card]:
    found = LessonTarget.objects.select_related("user", "agent", "flow").in_bulk(keys)
    return _next_cards([found[key] for key in keys if key in found])


def _ordered(keys: Sequence[UUID]) -> list[Card]:
    found = _cards_of(keys)
    return [found[key] for key in keys if key in found]


def _not_started(targets: LessonTargetQuerySet) -> LessonTargetQuerySet:
    rows = targets.filter(has_step(Status.NOT_STARTED))
    return rows.select_related("user", "agent", "flow").order_by("-assigned_at", "-pk")


def _states(
    organisation: Organisation, targets: LessonTargetQuerySet, status: str, wanted: Wanted
) -> QuerySet[StepState]:
    rows = StepState.objects.filter(
        is_of_revision(), organisation=organisation, status=status, target__in=targets.values("pk")
    )
    if wanted.overdue:
        # A target is overdue because of one step: only that one is wanted here.
        rows = rows.filter(_is_late(timezone.now()))
    return rows.order_by("-changed_at", "-pk")


def _is_late(now: datetime) -> Q:
    offset = ExpressionWrapper(
        OuterRef("target__assigned_at") + F("due_days") * Value(timedelta(days=1)),
        output_field=DateTimeField(),
    )
    steps = FlowStep.objects.filter(
        revision=OuterRef("target__revision"), key=OuterRef("step_key"), due_days__isnull=False
    )
    late = Exists(steps.annotate(due=offset).filter(due__lt=now))
    return Q(due_at__lt=now) | Q(late, due_at=None) | Q(target__due_at__lt=now)


def _cards_of(keys: Sequence[UUID]) -> dict[UUID, Card]:
    """Cards by the ids of their states. Two queries, or none for no keys."""
    if not keys:
        return {}
    states = StepState.objects.select_related(
        "target__user", "target__agent", "target__flow", "changed_by", "changed_by_agent"
    )
    found = states.defer("work").in_bulk(keys)
    rows = found.values()
    steps = _steps({one.target.revision_id for one in rows}, {one.step_key for one in rows})
    by_key = {(step.revision_id, step.key): step for some in steps.values() for step in some}
    return {
        one.pk: _card(one, one.target, step)
        for one in rows
        if (step := by_key.get((one.target.revision_id, one.step_key))) is not None
    }


def _card(state: StepState, target: LessonTarget, step: FlowStep) -> Card:
    return Card(
        target=target,
        step=step,
        status=state.status,
        version=state.version,
        due_at=step_due(target, step, state) or target.due_at,
        changed_at=state.changed_at,
        changed_by=state.changed_by_name if state.changed_at else "",
        reason=state.reason,
        notes=state.notes,
    )


def _next_cards(targets: Sequence[LessonTarget]) -> list[Card]:
    """The next step of each that is Not Started: the first that is open, else the first. Two
    queries, one more for dates that were set."""
    steps = _steps({one.revision_id for one in targets})
    statuses = statuses_of(targets)
    chosen: list[tuple[LessonTarget, FlowStep, str]] = []
    for target in targets:
        own = [
            step
            for step in steps.get(target.revision_id, [])
            if target.step_key is None or step.key == target.step_key
        ]
        known = statuses[target.pk]
        ahead = [step for step in own if known.get(step.key, Status.NOT_STARTED) not in _BEGUN]
        locks = [(step, why_locked(waits_for(step, own, known))) for step in ahead]
        if locks:
            step, lock = next((one for one in locks if not one[1]), locks[0])
            chosen.append((target, step, lock))
    set_states = {
        (state.target_id, state.step_key): state
        for state in StepState.objects.filter(
            target__in=[target.pk for target, _, _ in chosen], status=Status.NOT_STARTED
        ).defer("work")
    }
    cards = []
    for target, step, lock in chosen:
        state = set_states.get((target.pk, step.key))
        cards.append(
            Card(
                target=target,
                step=step,
                status=Status.NOT_STARTED,
                version=state.version if state else 0,
                due_at=step_due(target, step, state) or target.due_at,
                changed_at=target.assigned_at,
                locked=lock,
            )
        )
    return cards


_BEGUN: Final = frozenset(Status.values) - {Status.NOT_STARTED}


def _steps(revisions: set[UUID], keys: set[UUID] | None = None) -> dict[UUID, list[FlowStep]]:
    rows = FlowStep.objects.filter(revision__in=revisions).defer("content", "settings")
    if keys is not None:
        rows = rows.filter(key__in=keys)
    found: dict[UUID, list[FlowStep]] = {}
    for step in rows.order_by("position"):
        found.setdefault(step.revision_id, []).append(step)
    return found
