"""Which assignments and steps somebody is to be reminded of today, as rows of the database.

Each row is a LessonTarget with ``key`` and ``step_name`` (of a step; else None and ""), ``due``,
``kind`` (the latest reminder that applies) and ``to`` (whose it is); those reminded already, and
people who do not want it, are left out, so that every row is work to do.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    UUIDField,
    Value,
    When,
)

from flows_app.models import (
    FlowStep,
    LessonTarget,
    Reminder,
    ReminderKind,
    ReminderWish,
    Status,
    StepState,
    Submission,
)
from flows_app.models.submissions import OPEN
from flows_app.runtime.transitions import DONE
from one_project.accounts.models import Membership, Role

# With annotations, which a type checker does not see through.
Targets = QuerySet[Any]
# When the day so many days from today begins.
Start = Callable[[int], datetime]

DAY: Final = timedelta(days=1)
# Days a date may lie back: older ones are past reminding.
GIVE_UP: Final = 14
# (kind; first and last day it is due on, counted from today; days the assignment is older than the
# date, at least: it was there a day before the reminder)
KINDS: Final = (
    (ReminderKind.WEEK_BEFORE, 2, 7, 8),
    (ReminderKind.DAY_BEFORE, 1, 1, 2),
    (ReminderKind.DUE, -2, 0, 1),
    (ReminderKind.OVERDUE, -GIVE_UP, -3, 0),
)
# What a person can do nothing about, or need not any more.
SETTLED: Final = (*DONE, Status.BLOCKED)


def due_targets(start: Start) -> Targets:
    """Assignments with a date, of people, with something left that is required and can be done."""
    waiting = Submission.objects.filter(
        target=OuterRef(OuterRef("pk")), step_key=OuterRef("key"), status__in=OPEN
    )
    left = _steps_not(SETTLED).exclude(Exists(waiting))
    rows = _of_whole(_of_people()).annotate(due=F("due_at")).filter(_any(left))
    return _to_remind(rows, start)


def due_steps(start: Start) -> Targets:
    """Steps so many days after the assignment, of people who can do them; a row for each step."""
    # One annotate for all of a step: each further one could mean another step.
    rows = _of_people().annotate(
        key=F("revision__steps__key"),
        step_name=F("revision__steps__name"),
        due=ExpressionWrapper(
            F("assigned_at") + F("revision__steps__due_days") * Value(DAY, DurationField()),
            DateTimeField(),
        ),
    )
    state = StepState.objects.filter(target=OuterRef("pk"), step_key=OuterRef("key"))
    otherwise = state.filter(Q(status__in=SETTLED) | Q(due_at__isnull=False))
    rows = rows.filter(Q(step_key=None) | Q(step_key=F("key")), ~Exists(otherwise))
    return _to_remind(rows.exclude(_in_review()), start, of_steps=True)


def dated_steps(start: Start) -> Targets:
    """Steps whose date was set for this one person, who can do them; a row for each step."""
    rows = _of_people().annotate(
        key=F("states__step_key"), due=F("states__due_at"), stands=F("states__status")
    )
    step = FlowStep.objects.filter(revision=OuterRef("revision"), key=OuterRef("key"))
    rows = rows.annotate(step_name=Subquery(step.values("name")[:1]))
    rows = rows.filter(Q(step_key=None) | Q(step_key=F("key")), Exists(step))
    rows = rows.exclude(stands__in=SETTLED).exclude(_in_review())
    return _to_remind(rows, start, of_steps=True)


def _in_review() -> Exists:
    """Of rows of steps: handed in, or an agent is at it."""
    rows = Submission.objects.filter(target=OuterRef("pk"), step_key=OuterRef("key"))
    return Exists(rows.filter(status__in=OPEN))


def follow_ups(start: Start) -> Targets:
    """Assignments that are not complete on the day somebody wanted to look after them."""
    staff = Membership.objects.active().exclude(role=Role.MEMBER)
    rows = _of_whole(incomplete(LessonTarget.objects.active())).annotate(
        due=F("follow_up_at"),
        to=F("lesson__assigned_by"),
        kind=Value(ReminderKind.FOLLOW_UP.value, CharField()),
    )
    rows = rows.filter(due__gte=start(-GIVE_UP), due__lt=start(1))
    return _new(_wanted(rows, staff))


def incomplete(targets: Targets) -> Targets:
    """Those with something required that is neither Completed nor Skipped."""
    return targets.filter(_any(_steps_not(DONE)))


def _of_people() -> Targets:
    return LessonTarget.objects.active().exclude(user=None).annotate(to=F("user"))


def _of_whole(targets: Targets) -> Targets:
    nothing = Value(None, UUIDField(null=True))
    rows: Targets = targets.annotate(key=nothing, step_name=Value("", CharField()))
    return rows


def _steps_not(statuses: tuple[str, ...]) -> QuerySet[FlowStep]:
    """Of the outer target's revision; a step without a state is Not Started."""
    state = StepState.objects.filter(
        target=OuterRef(OuterRef("pk")), step_key=OuterRef("key"), status__in=statuses
    )
    return FlowStep.objects.filter(~Exists(state), revision=OuterRef("revision"))


def _any(steps: QuerySet[FlowStep]) -> Q:
    """Whether one of them counts: a required one, or the only one that is assigned."""
    whole = Q(Exists(steps.filter(is_required=True)), step_key=None)
    return whole | Q(Exists(steps.filter(key=OuterRef("step_key"))), step_key__isnull=False)


def _to_remind(rows: Targets, start: Start, *, of_steps: bool = False) -> Targets:
    """Those due in days that have a reminder, with its kind."""
    kinds = [
        When(
            due__gte=start(first),
            due__lt=start(last + 1),
            assigned_at__lte=ExpressionWrapper(
                F("due") - Value(age * DAY, DurationField()), DateTimeField()
            ),
            then=Value(kind.value),
        )
        for kind, first, last, age in KINDS
    ]
    rows = rows.filter(due__gte=start(-GIVE_UP), due__lt=start(8))
    rows = rows.annotate(kind=Case(*kinds, default=None, output_field=CharField(null=True)))
    rows = _wanted(rows.exclude(kind=None), Membership.objects.active())
    return _new(rows, of_steps=of_steps)


def _wanted(rows: Targets, members: Any) -> Targets:
    """``to`` belongs to the organisation, and wants reminders."""
    place = {"user": OuterRef("to"), "organisation": OuterRef("organisation")}
    unwanted = ReminderWish.objects.filter(reminders=False, **place)
    return rows.filter(Exists(members.filter(**place)), ~Exists(unwanted))


def _new(rows: Targets, *, of_steps: bool = False) -> Targets:
    """Not reminded of this yet."""
    known = Reminder.objects.filter(
        Q(step_key=OuterRef("key")) if of_steps else Q(step_key=None),
        target=OuterRef("pk"),
        user=OuterRef("to"),
        kind=OuterRef("kind"),
        due_at=OuterRef("due"),
    )
    return rows.filter(~Exists(known))
