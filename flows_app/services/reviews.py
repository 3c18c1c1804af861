"""What staff say to what was handed in: approve it, with changes or without, or send it back.

Each decision is a compare-and-set from ``awaiting_review`` under the target's lock, an entry of
kind ``review`` in its log, and, where it approves, the step's completion. Nothing is ever approved
by itself, nor by an agent: these verbs take a person.
"""

from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from flows_app.access import require_staff
from flows_app.conf import MAX_CONTENT, MAX_NOTES
from flows_app.errors import (
    FourEyes,
    LessonNotFound,
    ReasonMissing,
    StaleSubmission,
    StepNotFound,
    SubmissionNotFound,
)
from flows_app.models import (
    FlowStep,
    LessonTarget,
    LogKind,
    NoticeKind,
    Status,
    Submission,
    SubmissionStatus,
)
from flows_app.runtime.actors import Actor
from flows_app.services.agent_steps import request_agent_task
from flows_app.services.log import add_entry, lock_target, state_of
from flows_app.services.progress import find_step, update_flow_progress
from flows_app.services.reading import steps_of
from flows_app.services.review_notices import (
    overdue_reviews,
    remind_reviewers,
    tell_reviewed,
    tell_reviewers,
)
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.text import clean_text

__all__ = [
    "approve",
    "approve_edited",
    "ask_again",
    "check_reviewer",
    "overdue_reviews",
    "reject",
    "remind_reviewers",
    "tell_reviewers",
]

WORDS = {
    SubmissionStatus.APPROVED: "approved",
    SubmissionStatus.EDITED: "approved with changes",
    SubmissionStatus.REJECTED: "sent back",
}


class _Held(NamedTuple):
    """A submission that may be decided on, its target locked."""

    row: Submission
    target: LessonTarget
    step: FlowStep


@transaction.atomic
def approve(
    submission: Submission, *, by: User, notes: str = "", version: int | None = None
) -> Submission:
    """What was handed in stands: the step is Completed. The same person's click again is the same.

    ``version``: of the step, as the reviewer saw it. Raises StaleSubmission for what something
    newer has overtaken or somebody has decided, FourEyes where somebody else has to look.
    """
    return _approve(submission, SubmissionStatus.APPROVED, by, None, notes, version)


@transaction.atomic
def approve_edited(
    submission: Submission, *, by: User, final: str, notes: str = "", version: int | None = None
) -> Submission:
    """As ``approve``, with ``final`` in the place of the draft (the same text is no change).

    Raises InvalidInput for an empty or too long text.
    """
    text = clean_text(final).strip()
    if not text:
        raise InvalidInput("Please leave something of the draft, or send it back.")
    if len(text) > MAX_CONTENT:
        raise InvalidInput(f"The text has more than {MAX_CONTENT:,} characters.")
    same = text == submission.draft.strip()
    status = SubmissionStatus.APPROVED if same else SubmissionStatus.EDITED
    return _approve(submission, status, by, None if same else text, notes, version)


@transaction.atomic
def reject(
    submission: Submission, *, by: User, reason: str, version: int | None = None
) -> Submission:
    """Send it back with a reason; the step stays In Progress. Raises as ``approve``, and
    ReasonMissing."""
    why = _reason(reason, "Please say what is to be changed.")
    held = _hold(submission, by, SubmissionStatus.REJECTED)
    if held is None:
        return _now(submission)
    if held.row.user_id == by.pk:
        raise FourEyes("This is your own work: take it back in the lesson instead.")
    _check_seen(held, version)
    _send_back(held, by, why)
    tell_reviewed(held.row, NoticeKind.REJECTED, by=by)
    return held.row


@transaction.atomic
def ask_again(
    submission: Submission, *, by: User, what: str, version: int | None = None
) -> Submission:
    """Send an agent's draft back and have it try again with ``what`` is wanted: the new request.

    Raises as ``reject``, InvalidInput for a person's work.
    """
    why = _reason(what, "Please say what the agent is to change.")
    if submission.agent_id is None:
        raise InvalidInput("This is a person's work: send it back instead.")
    held = _hold(submission, by, SubmissionStatus.REJECTED)
    if held is None:
        newest = Submission.objects.filter(
            target=submission.target_id, step_key=submission.step_key
        ).order_by("-number")
        return newest[0]
    _check_seen(held, version)
    _send_back(held, by, why)
    return request_agent_task(held.target, held.step, by=Actor(user=by))


def check_reviewer(
    submission: Submission, step: FlowStep, by: User, *, is_known_staff: bool = False
) -> None:
    """Whether the person may approve it: staff, and never of their own work.

    With four eyes also not who owns the agent that did it, who asked for it, or whose step it is.
    Raises SubmissionNotFound, FourEyes.
    """
    if not is_known_staff:
        require_staff(by, submission.organisation_id, SubmissionNotFound)
    target = submission.target
    own = {submission.user_id}
    if submission.agent_id is None:
        own.add(target.user_id)
    if by.pk in own:
        raise FourEyes("This is your own work: somebody else has to review it.")
    if not step.four_eyes:
        return
    involved = {target.user_id, submission.requested_by_id}
    for agent in (submission.agent, target.agent):
        if agent is not None:
            involved.add(agent.created_by_id)
    if by.pk in involved:
        raise FourEyes


def _approve(
    submission: Submission,
    status: SubmissionStatus,
    by: User,
    final: str | None,
    notes: str,
    version: int | None,
) -> Submission:
    said = clean_text(notes).strip()[:MAX_NOTES]
    held = _hold(submission, by, status, final)
    if held is None:
        return _now(submission)
    row, target, step = held
    check_reviewer(row, step, by)
    _check_seen(held, row.state_version)
    _check_seen(held, version)
    row.final = row.draft if final is None else final
    _decide(held, status, by, final=row.final)
    add_entry(target, LogKind.REVIEW, Actor(user=by), step=step, reason=WORDS[status], notes=said)
    # Who did it stays who did it; the reviewer is the person behind the agent's entry.
    update_flow_progress(
        target,
        step,
        Status.COMPLETED,
        by=Actor(user=by, agent=row.agent),
        notes=said,
        submission=row,
    )
    tell_reviewed(row, NoticeKind.APPROVED, by=by)
    return row


def _hold(
    submission: Submission, by: User, wanted: SubmissionStatus, final: str | None = None
) -> _Held | None:
    """The submission as it is now, its target locked; None where this very person has said this
    very thing already. Raises SubmissionNotFound, StaleSubmission."""
    require_staff(by, submission.organisation_id, SubmissionNotFound)
    try:
        target = lock_target(submission.target_id)
    except LessonNotFound:
        raise SubmissionNotFound from None
    except Conflict as error:
        raise StaleSubmission(error.user_message) from error
    row = (
        Submission.objects.select_for_update(of=("self",))
        .select_related("organisation", "agent", "user", "reviewed_by", "requested_by")
        .filter(pk=submission.pk)
        .first()
    )
    if row is None:
        raise SubmissionNotFound
    row.target = target
    if row.status != SubmissionStatus.AWAITING_REVIEW:
        said = final is None or row.final == final
        if row.status == wanted and row.reviewed_by_id == by.pk and said:
            return None
        raise StaleSubmission(_ended(row))
    newer = Submission.objects.filter(target=target, step_key=row.step_key, number__gt=row.number)
    if newer.exists():
        raise StaleSubmission("There is a newer draft of this step. Please review that one.")
    try:
        step = find_step(steps_of(target), row.step_key)
    except StepNotFound:
        raise StaleSubmission("This step is no part of the lesson any more.") from None
    return _Held(row, target, step)


def _check_seen(held: _Held, version: int | None) -> None:
    """Whether the step is still at ``version``. Raises StaleSubmission with who changed it."""
    state = state_of(held.target, held.step)
    if version in (None, state.version):
        return
    who = state.changed_by_name if state.changed_at else "Somebody"
    raise StaleSubmission(
        f"{who} has changed this step ({state.status}) since this was handed in or shown. "
        "Please look at it again."
    )


def _send_back(held: _Held, by: User, why: str) -> None:
    held.row.feedback = why
    _decide(held, SubmissionStatus.REJECTED, by, feedback=why)
    add_entry(
        held.target,
        LogKind.REVIEW,
        Actor(user=by),
        step=held.step,
        reason=WORDS[SubmissionStatus.REJECTED],
        notes=why,
    )


def _decide(held: _Held, status: SubmissionStatus, by: User, **values: str) -> None:
    row, now = held.row, timezone.now()
    decided = Submission.objects.filter(pk=row.pk, status=SubmissionStatus.AWAITING_REVIEW).update(
        status=status, reviewed_by=by, reviewed_at=now, updated_at=now, **values
    )
    if not decided:
        raise StaleSubmission
    row.status, row.reviewed_by, row.reviewed_at = status, by, now
    record_event(
        row.organisation,
        "submission_reviewed",
        actor=by,
        target=f"submission:{row.pk}",
        data={"step": held.step.name, "number": row.number, "to": status},
    )


def _ended(row: Submission) -> str:
    who = row.reviewed_by.display_name if row.reviewed_by else "Somebody"
    if row.status in WORDS:
        return f"{who} has {WORDS[SubmissionStatus(row.status)]} this already."
    if row.status == SubmissionStatus.EXPIRED:
        return "This was overtaken: the step has moved on, or was taken back."
    return f"There is nothing to review yet: {row.get_status_display().lower()}."


def _reason(text: str, missing: str) -> str:
    why = clean_text(text).strip()[:MAX_NOTES]
    if not why:
        raise ReasonMissing(missing)
    return why


def _now(submission: Submission) -> Submission:
    submission.refresh_from_db()
    return submission
