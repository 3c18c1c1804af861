"""What waits for one person: decisions, questions, people who are asked for, tasks.

Found by the partial indexes on what is open; as many queries for many rows as for few.
"""

from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q, QuerySet

from agents_app.models import CallStatus, ToolCall
from chat_app.models import Escalation, EscalationStatus, Task, Thread
from one_project.accounts.models import Organisation, User

# More than this in one list is not read through; what is decided makes room.
LIMIT = 100
DONE_LIMIT = 20
# The condition of the index ``tool_call_for_people``, word for word.
FOR_PEOPLE = [CallStatus.AWAITING_APPROVAL, CallStatus.WAITING, CallStatus.UNKNOWN]


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A call that a person decides, and the thread it is made in."""

    call: ToolCall
    thread: Thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Oldest first: who has waited longest is next. ``done``: tasks, the newest ticked first."""

    calls: list[WaitingCall] = field(default_factory=list)
    escalations: list[Escalation] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    done: list[Task] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.calls or self.escalations or self.tasks)

    @property
    def approvals(self) -> list[WaitingCall]:
        return [one for one in self.calls if one.call.status == CallStatus.AWAITING_APPROVAL]

    @property
    def questions(self) -> list[WaitingCall]:
        return [one for one in self.calls if one.call.status == CallStatus.WAITING]

    @property
    def unknown(self) -> list[WaitingCall]:
        return [one for one in self.calls if one.call.status == CallStatus.UNKNOWN]


def read_inbox(user: User, organisation: Organisation, *, is_staff: bool) -> Inbox:
    """All that waits for ``user`` in the organisation; ``is_staff``: they help others here."""
    calls = list(
        _calls(user, organisation, is_staff)
        .select_related("agent", "requested_by", "decided_by")
        .order_by("created_at", "position")[:LIMIT]
    )
    wanted: set[UUID] = {call.thread_id for call in calls if call.thread_id is not None}
    threads = Thread.objects.in_bulk(wanted)
    tasks = Task.objects.filter(user=user, organisation=organisation)
    related = tasks.select_related("thread", "agent")
    return Inbox(
        calls=[
            WaitingCall(call, threads[call.thread_id])
            for call in calls
            if call.thread_id in threads
        ],
        escalations=list(
            _escalations(user, organisation, is_staff)
            .select_related("thread", "agent", "requested_by")
            .order_by("created_at")[:LIMIT]
        ),
        tasks=list(related.filter(done_at=None).order_by("created_at")[:LIMIT]),
        done=list(related.filter(done_at__isnull=False).order_by("-done_at")[:DONE_LIMIT]),
    )


def waiting_count(user: User, organisation: Organisation, *, is_staff: bool) -> int:
    """How many things wait: one query, on every page."""
    waiting = [
        _calls(user, organisation, is_staff).order_by().values("pk"),
        Task.objects.filter(user=user, organisation=organisation, done_at=None).values("pk"),
    ]
    if is_staff:
        open_ones = Escalation.objects.filter(
            organisation=organisation,
            status=EscalationStatus.WAITING_FOR_HUMAN,
            thread__deleted_at=None,
        )
        waiting.append(open_ones.values("pk"))
    first, *others = waiting
    return first.union(*others, all=True).count()


def _calls(user: User, organisation: Organisation, is_staff: bool) -> QuerySet[ToolCall]:
    """What the person may decide: of their own in threads they see; staff, of anybody there."""
    calls = ToolCall.objects.filter(
        organisation=organisation,
        status__in=FOR_PEOPLE,
        child_thread_id=None,  # a delegation waits for an agent
        thread_id__in=Thread.objects.visible_to(user).values("pk"),
    ).exclude(status=CallStatus.WAITING, meta__has_key="delivery")
    return calls if is_staff else calls.filter(requested_by=user)


def _escalations(user: User, organisation: Organisation, is_staff: bool) -> QuerySet[Escalation]:
    """Those that wait, and those the person has taken."""
    if not is_staff:
        return Escalation.objects.none()
    mine = Q(status=EscalationStatus.TAKEN, taken_by=user)
    return Escalation.objects.filter(
        Q(status=EscalationStatus.WAITING_FOR_HUMAN) | mine,
        organisation=organisation,
        thread__deleted_at=None,
    )
