"""Where people stand in one flow: how far they get, how long it takes, what holds them up.

Counted by the database over the steps that are published now, in a fixed number of queries. Who
works at another revision counts at the steps that both have. What nobody has taken yet is counted
apart; what has ended is not counted.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import (
    Aggregate,
    Count,
    DurationField,
    F,
    Q,
)
from django.db.models.functions import TruncWeek
from django.utils import timezone

from flows_app.models import (
    Flow,
    FlowProgress,
    FlowRevision,
    FlowStep,
    Lesson,
    LessonTarget,
    Status,
    StepState,
)
from flows_app.models.lessons import LessonTargetQuerySet
from flows_app.runtime.funnel import Funnel, FunnelStep, RevisionUse, Week
from flows_app.runtime.progress import Share
from flows_app.runtime.transitions import DONE
from flows_app.services.filtering import is_overdue

WEEKS: Final = 12
BLOCKED: Final = 50
LESSONS: Final = 8


class Median(Aggregate):
    """``percentile_cont(0.5)`` of durations."""

    name = "Median"
    template = "percentile_cont(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()


def funnel_of(flow: Flow) -> Funnel:
    """Ten queries, whatever the number of people and steps."""
    active = LessonTarget.objects.active().filter(flow=flow)
    taken = active.exclude(user=None, agent=None)
    parts = _parts(flow, taken)
    standing = _standing(taken, parts)
    shares = [share for share, _ in standing.values()]
    done = {key for key, (share, _) in standing.items() if share.is_complete}
    begun = {key for key, (_, has_begun) in standing.items() if has_begun}
    late = set(taken.filter(is_overdue(timezone.now())).values_list("pk", flat=True))
    return Funnel(
        steps=_steps(flow, taken, parts),
        people=len(shares),
        in_queue=active.filter(user=None, agent=None).count(),
        complete=len(done),
        not_begun=len(standing.keys() - begun - done),
        overdue=len(late - done),
        percent=sum(share.percent for share in shares) // len(shares) if shares else 0,
        blocked=_blocked(taken, parts),
        weeks=_weeks(flow),
        revisions=_revisions(flow, parts),
        lessons=_lessons(flow),
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """Who has which steps: ``targets`` as (id, revision, only this step), steps by revision."""

    targets: list[tuple[UUID, UUID, UUID | None]]
    steps: dict[UUID, list[FlowStep]]

    def of(self, revision: UUID, only: UUID | None) -> list[FlowStep]:
        return [one for one in self.steps[revision] if only is None or one.key == only]

    def states(self) -> Q:
        """Of states: those of steps which the revision of their target has."""
        found = Q(pk=None)
        for revision, steps in self.steps.items():
            keys = [step.key for step in steps]
            found |= Q(target__revision_id=revision, step_key__in=keys)
        only = Q(target__step_key=None) | Q(target__step_key=F("step_key"))
        return found & only

    def required(self) -> Q:
        found = Q(pk=None)
        for revision, steps in self.steps.items():
            keys = [step.key for step in steps if step.is_required]
            found |= Q(target__revision_id=revision, step_key__in=keys)
        return found | Q(target__step_key=F("step_key"))


def _parts(flow: Flow, taken: LessonTargetQuerySet) -> _Parts:
    targets = list(taken.values_list("pk", "revision_id", "step_key"))
    wanted = {revision for _, revision, _ in targets}
    if flow.published_id is not None:
        wanted.add(flow.published_id)
    steps: dict[UUID, list[FlowStep]] = {key: [] for key in wanted}
    rows = FlowStep.objects.filter(revision_id__in=wanted).select_related("revision")
    for step in rows.defer("content", "settings").order_by("position"):
        steps[step.revision_id].append(step)
    return _Parts(targets, steps)


def _standing(taken: LessonTargetQuerySet, parts: _Parts) -> dict[UUID, tuple[Share, bool]]:
    """How much of each target is done, and whether it has been begun at all."""
    rows = (
        StepState.objects.filter(parts.states(), target__in=taken)
        .values("target_id")
        .annotate(
            done=Count("pk", filter=Q(parts.required(), status__in=DONE)),
            begun=Count("pk", filter=~Q(status=Status.NOT_STARTED)),
        )
        .order_by()
    )
    counts = {row["target_id"]: (row["done"], row["begun"]) for row in rows}
    standing = {}
    for target, revision, only in parts.targets:
        done, begun = counts.get(target, (0, 0))
        total = sum(1 for step in parts.of(revision, only) if step.is_required or step.key == only)
        standing[target] = (Share(done, total), begun > 0)
    return standing


def _steps(flow: Flow, taken: LessonTargetQuerySet, parts: _Parts) -> list[FunnelStep]:
    if flow.published_id is None:
        return []
    people: Counter[UUID] = Counter()
    for _, revision, only in parts.targets:
        people.update(step.key for step in parts.of(revision, only))
    completed = Q(status=Status.COMPLETED)
    rows = (
        StepState.objects.filter(parts.states(), target__in=taken)
        .values("step_key")
        .annotate(
            in_progress=Count("pk", filter=Q(status=Status.IN_PROGRESS)),
            completed=Count("pk", filter=completed),
            blocked=Count("pk", filter=Q(status=Status.BLOCKED)),
            skipped=Count("pk", filter=Q(status=Status.SKIPPED)),
            on_it=Median(F("completed_at") - F("started_at"), filter=completed),
            after=Median(F("completed_at") - F("target__assigned_at"), filter=completed),
        )
        .order_by()
    )
    found: dict[UUID, dict[str, Any]] = {
        row["step_key"]: {name: value for name, value in row.items() if name != "step_key"}
        for row in rows
    }
    return [
        FunnelStep(step=step, people=people[step.key], **found.get(step.key, {}))
        for step in parts.steps[flow.published_id]
    ]


def _blocked(taken: LessonTargetQuerySet, parts: _Parts) -> list[StepState]:
    rows = (
        StepState.objects.filter(parts.states(), target__in=taken, status=Status.BLOCKED)
        .select_related("target__user", "target__agent")
        .order_by("changed_at")
    )
    names = {(key, step.key): step.name for key, steps in parts.steps.items() for step in steps}
    blocked = list(rows[:BLOCKED])
    for state in blocked:
        state.step_name = names[state.target.revision_id, state.step_key]  # type: ignore[attr-defined]
    return blocked


def _weeks(flow: Flow) -> list[Week]:
    """What was completed in each of the last weeks, from the log; also what was reopened later."""
    today = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - timedelta(days=today.weekday())
    first = monday - timedelta(weeks=WEEKS - 1)
    rows = (
        FlowProgress.objects.filter(flow=flow, status=Status.COMPLETED, created_at__gte=first)
        .annotate(week=TruncWeek("created_at", tzinfo=UTC))
        .values_list("week")
        .annotate(count=Count("pk"))
        .order_by()
    )
    counts: dict[datetime, int] = defaultdict(int, dict(rows))
    highest = max(counts.values(), default=0)
    begins = [first + timedelta(weeks=number) for number in range(WEEKS)]
    return [
        Week(
            begins=at,
            completed=counts[at],
            height=round(100 * counts[at] / highest, 2) if highest else 0.0,
        )
        for at in begins
    ]


def _revisions(flow: Flow, parts: _Parts) -> list[RevisionUse]:
    people = Counter(revision for _, revision, _ in parts.targets)
    rows = FlowRevision.objects.filter(pk__in=[*people, flow.published_id])
    return [
        RevisionUse(revision=one, people=people[one.pk])
        for one in rows.select_related("published_by").order_by("-number")
    ]


def _lessons(flow: Flow) -> list[Lesson]:
    """The latest assignments with work in this flow, also those of courses."""
    latest = LessonTarget.objects.filter(flow=flow).values("lesson_id")
    rows = Lesson.objects.filter(organisation_id=flow.organisation_id, pk__in=latest)
    rows = rows.select_related("course", "user", "agent", "team", "assigned_by")
    return list(rows.order_by("-assigned_at")[:LESSONS])
