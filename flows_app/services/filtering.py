"""Which assignments matrix and board show: what staff ask for, as conditions of the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import (
    Count,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Cast, Coalesce, Lower, NullIf
from django.utils import timezone

from flows_app.models import FlowStep, LessonTarget, Status, StepState
from flows_app.models.lessons import LessonTargetQuerySet
from flows_app.runtime.transitions import DONE
from one_project.accounts.models import Membership, Organisation, Role, Team, User
from one_project.common.ids import parse_id

# Orders of people, with their names for people; "-" before one turns it round.
SORTS: Final = {
    "name": "Name",
    "-percent": "Most done first",
    "percent": "Least done first",
    "due": "Due soonest",
    "-due": "Due latest",
    "-assigned": "Assigned last",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is shown. ``who``: me, nobody (a queue), agents, ``role:<role>``, ``team:<id>``; empty:
    anyone. ``status``: with a step of it. ``revision``: the number. ``sort``: one of ``SORTS``."""

    text: str = ""
    who: str = ""
    status: str = ""
    overdue: bool = False
    revision: int | None = None
    flow_id: UUID | None = None
    sort: str = "name"

    @property
    def is_narrow(self) -> bool:
        return bool(
            self.text or self.who or self.status or self.overdue or self.revision is not None
        )


def select_targets(organisation: Organisation, wanted: Wanted, *, by: User) -> LessonTargetQuerySet:
    """The running assignments that are meant, in no order."""
    rows = LessonTarget.objects.active().filter(organisation=organisation)
    if wanted.flow_id is not None:
        rows = rows.filter(flow_id=wanted.flow_id)
    if wanted.revision is not None:
        rows = rows.filter(revision__number=wanted.revision)
    if wanted.text:
        rows = rows.filter(
            Q(user__name__icontains=wanted.text)
            | Q(user__email__icontains=wanted.text)
            | Q(agent__name__icontains=wanted.text)
        )
    if wanted.who:
        rows = rows.filter(_who(organisation, wanted.who, by))
    if wanted.status:
        rows = rows.filter(has_step(wanted.status))
    if wanted.overdue:
        rows = rows.filter(is_overdue(timezone.now()))
    return rows


def sorted_targets(rows: LessonTargetQuerySet, sort: str) -> LessonTargetQuerySet:
    """In one of ``SORTS``; who is equal comes by name."""
    name = Lower(Coalesce(NullIf("user__name", Value("")), "user__email", "agent__name"))
    by_name = (name.asc(nulls_last=True), "attempt", "pk")
    if sort in {"percent", "-percent"}:
        total = Coalesce(_count(_counted()), 0)
        done = Coalesce(_count(_counted().filter(_is_done())), 0)
        # Where nothing is required all of it is done.
        share = Coalesce(Cast(done, FloatField()) / NullIf(total, 0), Value(1.0))
        rows = rows.annotate(share=share)
        return rows.order_by("-share" if sort.startswith("-") else "share", *by_name)
    if sort in {"due", "-due"}:
        due = F("due_at")
        turned = due.desc(nulls_last=True) if sort.startswith("-") else due.asc(nulls_last=True)
        return rows.order_by(turned, *by_name)
    if sort == "-assigned":
        return rows.order_by("-assigned_at", *by_name)
    return rows.order_by(*by_name)


def has_step(status: str) -> Q:
    """Targets with a step of this status, among the steps of their revision."""
    if status == Status.NOT_STARTED:
        begun = StepState.objects.filter(target=OuterRef(OuterRef("pk")), step_key=OuterRef("key"))
        return Q(Exists(_steps().filter(~Exists(begun.exclude(status=Status.NOT_STARTED)))))
    states = StepState.objects.filter(target=OuterRef("pk"), status=status)
    return Q(Exists(states.filter(is_of_revision())))


def is_of_revision() -> Exists:
    """Of states: the step is still there. A target that was moved keeps those of older ones."""
    steps = FlowStep.objects.filter(revision=OuterRef("target__revision"), key=OuterRef("step_key"))
    return Exists(steps)


def is_overdue(now: datetime) -> Q:
    """Targets that are overdue themselves, or have an open step that is (see ``step_due``)."""
    states = StepState.objects.filter(target=OuterRef("pk"), due_at__lt=now)
    settled = StepState.objects.filter(
        Q(status__in=DONE) | Q(due_at__isnull=False),
        target=OuterRef(OuterRef("pk")),
        step_key=OuterRef("key"),
    )
    after = ExpressionWrapper(
        OuterRef("assigned_at") + F("due_days") * Value(timedelta(days=1)),
        output_field=DateTimeField(),
    )
    by_offset = _steps().filter(due_days__isnull=False).annotate(due=after).filter(due__lt=now)
    unfinished = _counted().filter(~_is_done())
    return (
        Q(Exists(states.exclude(status__in=DONE).filter(is_of_revision())))
        | Q(Exists(by_offset.filter(~Exists(settled))))
        | Q(Exists(unfinished), due_at__lt=now)
    )


def teams_of(organisation: Organisation) -> list[Team]:
    """To choose from."""
    return list(Team.objects.filter(organisation=organisation).order_by("name")[:200])


def _steps() -> QuerySet[FlowStep]:
    """The steps of the outer target; of an assignment of one step only that one."""
    return FlowStep.objects.filter(
        revision=OuterRef("revision"), key=Coalesce(OuterRef("step_key"), F("key"))
    )


def _counted() -> QuerySet[FlowStep]:
    """Those that it takes to be complete: the required ones, or the one that alone was assigned."""
    return _steps().filter(Q(is_required=True) | Q(key=OuterRef("step_key")))


def _is_done() -> Exists:
    """Of ``_steps``."""
    return Exists(
        StepState.objects.filter(
            target=OuterRef(OuterRef("pk")), step_key=OuterRef("key"), status__in=DONE
        )
    )


def _count(rows: QuerySet[FlowStep]) -> Subquery:
    counted: Any = rows.order_by().values("revision").annotate(n=Count("pk")).values("n")
    return Subquery(counted)


def _who(organisation: Organisation, who: str, by: User) -> Q:
    kind, _, value = who.partition(":")
    if who == "me":
        return Q(user=by)
    if who == "nobody":
        return Q(user=None, agent=None)
    if who == "agents":
        return Q(agent__isnull=False)
    if kind == "role" and value in Role.values:
        members = Membership.objects.active().filter(organisation=organisation, role=value)
        return Q(user__in=members.values("user"))
    team = parse_id(value) if kind == "team" else None
    if team is None:
        return Q(pk__in=[])
    return Q(
        user__in=User.objects.filter(
            team_memberships__team__organisation=organisation, team_memberships__team=team
        ).values("pk")
    )
