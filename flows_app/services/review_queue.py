"""What staff read before they review: the queue, and one submission with all that led to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from agents_app.models import ToolCall
from chat_app.runtime.comparing import Difference, compare
from flows_app.errors import FourEyes
from flows_app.models import Flow, FlowStep, StepState, Submission, SubmissionStatus
from flows_app.services.review_notices import with_review_due
from flows_app.services.reviews import check_reviewer
from one_project.accounts.models import Organisation, User

# What a page shows of a queue; the oldest come first, so the others move up.
SHOWN = 100
TOOL_CALLS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A line of the queue. ``refused``: why this person may not approve it; empty where they may.
    ``due_at``: when it should have been looked at."""

    submission: Submission
    step_name: str
    due_at: datetime
    refused: str

    @property
    def is_overdue(self) -> bool:
        return self.due_at < timezone.now()


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """``total`` counts all that the filters let through, ``lines`` are the oldest of them."""

    lines: list[Waiting]
    total: int
    flows: list[Flow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A submission with what its page shows. ``step`` None: it is no part of the lesson any more.

    ``version`` is the step's now. ``stale``: why it cannot be approved whoever asks, ``refused``:
    why this person may not. ``before``: the try before it that had a draft.
    """

    submission: Submission
    step: FlowStep | None
    version: int
    status: str
    stale: str
    refused: str
    before: Submission | None
    difference: Difference | None
    calls: list[ToolCall]
    newest: Submission
    next: Submission | None

    @property
    def is_open(self) -> bool:
        return self.submission.status == SubmissionStatus.AWAITING_REVIEW


def queue_of(
    organisation: Organisation, user: User, *, mine: bool = False, flow_id: UUID | None = None
) -> Queue:
    """What waits, oldest first. ``mine``: of what the person has assigned, or asked an agent for.

    Four queries, whatever the number.
    """
    rows = Submission.objects.awaiting_review().filter(organisation=organisation)
    rows = rows.filter(target__ended_at=None)
    flows = Flow.objects.filter(pk__in=rows.order_by().values("target__flow")).order_by("name")
    if mine:
        rows = rows.filter(Q(target__lesson__assigned_by=user) | Q(requested_by=user))
    if flow_id is not None:
        rows = rows.filter(target__flow=flow_id)
    found = list(
        with_review_due(rows).select_related(
            "target__flow", "target__user", "target__agent", "agent", "user"
        )[:SHOWN]
    )
    steps = _steps(found)
    lines = []
    for one in found:
        step = steps.get((one.target.revision_id, one.step_key))
        lines.append(
            Waiting(
                submission=one,
                step_name=step.name if step else "A step that is no more",
                due_at=one.review_due,  # type: ignore[attr-defined]
                refused=_refused(one, step, user),
            )
        )
    total = len(found) if len(found) < SHOWN else rows.count()
    return Queue(lines=lines, total=total, flows=list(flows))


def reviewed(submission: Submission, user: User) -> Reviewed:
    """All that the page of one shows."""
    target = submission.target
    step = _steps([submission]).get((target.revision_id, submission.step_key))
    state = StepState.objects.filter(target=target, step_key=submission.step_key).first()
    tries = list(
        Submission.objects.filter(target=target, step_key=submission.step_key).order_by("number")
    )
    earlier = [one for one in tries if one.number < submission.number and one.draft]
    before = earlier[-1] if earlier else None
    version = state.version if state else 0
    waiting = Submission.objects.awaiting_review().filter(
        organisation_id=submission.organisation_id, target__ended_at=None
    )
    return Reviewed(
        submission=submission,
        step=step,
        version=version,
        status=state.status if state else "Not Started",
        stale=_stale(submission, step, version, tries[-1]),
        refused=_refused(submission, step, user),
        before=before,
        difference=compare(before.draft, submission.draft) if before else None,
        calls=_calls(submission),
        newest=tries[-1],
        next=waiting.exclude(pk=submission.pk).first(),
    )


def _steps(rows: Sequence[Submission]) -> dict[tuple[UUID, UUID], FlowStep]:
    found = FlowStep.objects.filter(
        revision_id__in={one.target.revision_id for one in rows},
        key__in={one.step_key for one in rows},
    )
    return {(step.revision_id, step.key): step for step in found.select_related("agent")}


def _refused(submission: Submission, step: FlowStep | None, user: User) -> str:
    if step is None:
        return ""
    try:
        check_reviewer(submission, step, user, is_known_staff=True)
    except FourEyes as error:
        return error.user_message
    return ""


def _stale(submission: Submission, step: FlowStep | None, version: int, newest: Submission) -> str:
    if step is None:
        return "This step is no part of the lesson any more."
    if submission.target.ended_at is not None:
        return "The assignment has ended."
    if newest.number > submission.number:
        return "There is a newer draft of this step."
    if version != submission.state_version:
        return "The step has changed since this was handed in: it can be sent back only."
    return ""


def _calls(submission: Submission) -> list[ToolCall]:
    """What an agent has used for its draft; a person's talk is their own."""
    if submission.agent_id is None or submission.thread_id is None:
        return []
    rows = ToolCall.objects.filter(
        organisation_id=submission.organisation_id, thread_id=submission.thread_id
    )
    return list(rows.in_order()[:TOOL_CALLS])
