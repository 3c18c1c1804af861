"""What a bulk assignment would do, before anything is written: row by row, looked up as sets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone as clock

from flows_app.conf import MAX_NOTES
from flows_app.models import FlowStep, Lesson, LessonTarget, Resolution
from flows_app.runtime.actors import Actor
from flows_app.runtime.bulk_rows import BulkRow
from flows_app.runtime.dates import days_of, moment_of
from flows_app.services.bulk_names import Names, UnknownPerson, names_of
from flows_app.services.crediting import prior_completions, since_days
from flows_app.services.targets import Part, WorkKey
from one_project.accounts.models import Organisation
from one_project.common.errors import AppError, InvalidInput
from one_project.common.text import clean_text

CREATED: Final = "created"
SKIPPED: Final = "skipped"
UNKNOWN: Final = "unknown"
ERROR: Final = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOptions:
    """For all rows: where days are meant; whether to begin again for who has it; and within how
    many days prior completions count (None: they do not)."""

    timezone: str = "UTC"
    restart: bool = False
    credit_days: int | None = None


@dataclass(slots=True)
class Plan:
    """What one row comes to: a lesson that is not saved, and for whom it is."""

    row: BulkRow
    lesson: Lesson | None = None
    parts: list[Part] = field(default_factory=list)
    people: list[UUID] = field(default_factory=list)
    agents: list[UUID] = field(default_factory=list)
    outcome: str = CREATED
    text: str = ""
    created: int = 0
    skipped: int = 0

    @property
    def keys(self) -> list[WorkKey]:
        who = [*self.people, *self.agents]
        return [(one, part.flow.pk, part.step_key) for one in who for part in self.parts]

    @property
    def is_queue(self) -> bool:
        return self.lesson is not None and self.lesson.resolution == Resolution.QUEUE

    @property
    def is_kept_empty(self) -> bool:
        """A queue, or a live role: an assignment also while nobody has it."""
        return self.lesson is not None and self.lesson.resolution != Resolution.SNAPSHOT

    def fail(self, error: AppError) -> None:
        self.outcome = UNKNOWN if isinstance(error, UnknownPerson) else ERROR
        self.text = error.user_message

    def count(self, created: int, skipped: int) -> None:
        """What came of it; says so in words."""
        self.created, self.skipped = created, skipped
        if self.outcome in {UNKNOWN, ERROR}:
            return
        self.outcome = CREATED if created or self.is_kept_empty else SKIPPED
        many = len(self.keys) > 1 or self.is_kept_empty
        if self.is_queue:
            self.text = "waits until one of them takes it"
        elif self.outcome == SKIPPED:
            self.text = "have it already" if many else "has it already"
        elif many:
            self.text = f"{created} assigned" + (f", {skipped} had it already" if skipped else "")
        else:
            self.text = "assigned"


def plans_of(
    organisation: Organisation, rows: Sequence[BulkRow], *, by: Actor, options: BulkOptions
) -> list[Plan]:
    """One for each row; those that cannot be are failed, with the reason. Twelve queries."""
    names = names_of(organisation, rows, by.user)
    now = clock.now()
    plans = []
    for row in rows:
        plan = Plan(row)
        try:
            _fill(plan, names, by, options, now)
        except AppError as error:
            plan.fail(error)
        plans.append(plan)
    _count(plans, restart=options.restart)
    return plans


def would_credit(plans: Sequence[Plan], days: int) -> int:
    """How many steps of what is planned somebody has completed within so many days."""
    open_ones = [one for one in plans if one.outcome == CREATED]
    keys = {key for one in open_ones for key in one.keys}
    prior = prior_completions(
        {who for who, _, _ in keys if who}, {flow for _, flow, _ in keys}, since_days(days)
    )
    revisions = {part.revision_id: part.flow.pk for one in open_ones for part in one.parts}
    steps = FlowStep.objects.filter(revision_id__in=list(revisions))
    known = {
        (revisions[revision], key) for revision, key in steps.values_list("revision_id", "key")
    }
    return sum(
        1
        for who, flow, key in prior
        if (flow, key) in known and ((who, flow, None) in keys or (who, flow, key) in keys)
    )


def existing(keys: Iterable[WorkKey]) -> dict[WorkKey, UUID]:
    """Which of this work is assigned now, and the target's id. A query for each kind."""
    wanted = set(keys)
    who = {one for one, _, _ in wanted if one}
    if not who:
        return {}
    rows = LessonTarget.objects.active().filter(flow__in={flow for _, flow, _ in wanted})
    found: dict[WorkKey, UUID] = {}
    for name in ("user_id", "agent_id"):
        mine = rows.filter(**{f"{name}__in": who})
        for pk, one, flow, step in mine.values_list("pk", name, "flow_id", "step_key"):
            if (one, flow, step) in wanted:
                found[one, flow, step] = pk
    return found


def _fill(plan: Plan, names: Names, by: Actor, options: BulkOptions, now: datetime) -> None:
    row = plan.row
    if row.problem:
        raise InvalidInput(row.problem)
    if sum(map(bool, (row.email, row.agent, row.role, row.team))) != 1:
        raise InvalidInput("Please name one person, one agent, one role or one team.")
    flow, course, plan.parts = names.what(row)
    resolution = (row.resolution or Resolution.SNAPSHOT).lower()
    if resolution not in Resolution.values:
        raise InvalidInput("A role or a team is resolved as snapshot, live or queue.")
    lesson = Lesson(
        organisation=names.organisation,
        flow=flow,
        course=course,
        step_name=plan.parts[0].step_name,
        step_key=plan.parts[0].step_key,
        resolution=resolution if row.role or row.team else Resolution.SNAPSHOT,
        assigned_by=by.user,
        assigned_at=now,
        due_at=moment_of(row.due, options.timezone, now),
        follow_up_at=moment_of(row.follow_up, options.timezone, now),
        timezone=options.timezone,
        note=clean_text(row.note)[:MAX_NOTES],
    )
    if days := days_of(row.due):
        # Who joins a live role later has as many days as the others had.
        lesson.meta = {"due_days": days}
    _set_principal(plan, lesson, names)
    plan.lesson = lesson


def _set_principal(plan: Plan, lesson: Lesson, names: Names) -> None:
    row, queue = plan.row, lesson.resolution == Resolution.QUEUE
    if row.email:
        lesson.user_id = names.person(row)
        plan.people = [lesson.user_id]
    elif row.agent:
        lesson.agent = names.agent(row)
        plan.agents = [lesson.agent.pk]
    elif row.role:
        lesson.role = names.role(row)
        plan.people = [] if queue else names.of_role.get(lesson.role, [])
    else:
        lesson.team = names.team(row)
        plan.people = [] if queue else names.of_team.get(lesson.team.pk, [])
    if not plan.people and not plan.agents and lesson.resolution == Resolution.SNAPSHOT:
        raise InvalidInput(f"Nobody belongs to “{row.who[:120]}” now.")


def _count(plans: Sequence[Plan], *, restart: bool) -> None:
    """Who has it already, also because of a row above."""
    keys = [key for plan in plans for key in plan.keys if plan.lesson is not None]
    taken: set[WorkKey] = set() if restart else set(existing(keys))
    for plan in plans:
        if plan.lesson is None:
            continue
        new = [key for key in plan.keys if key not in taken]
        taken.update(new)
        plan.count(len(plan.parts) if plan.is_queue else len(new), len(plan.keys) - len(new))
