"""Who is told of reviews: staff of what waits, and those whose work it is of how it ended."""

from datetime import timedelta

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThan
from django.utils import timezone

from chat_app.access import is_staff_of
from flows_app.conf import REVIEW_HOURS
from flows_app.models import FlowStep, NoticeKind, Submission
from flows_app.models.submissions import SubmissionQuerySet
from flows_app.services.notices import address_of, notify, staff_of
from one_project.accounts.models import User

# Of one run of the reminder: the next one goes on.
BATCH = 200


def review_address(submission: Submission) -> str:
    return f"/flows/reviews/{submission.pk}/"


def tell_reviewers(submission: Submission) -> None:
    """Whoever assigned it, if they review; the queue shows it to all others."""
    assigner = submission.target.lesson.assigned_by
    if assigner is None or not is_staff_of(assigner, submission.organisation_id):
        return
    notify(
        submission.organisation,
        [assigner],
        kind=NoticeKind.REVIEW,
        text=f"{submission.by_name} has handed in {_what(submission)}.",
        url=review_address(submission),
        target=submission.target,
        by=submission.user,
    )


def tell_reviewed(submission: Submission, kind: NoticeKind, *, by: User) -> None:
    """Whose work it is, else who asked the agent for it."""
    target = submission.target
    person = target.user or submission.requested_by
    if person is None:
        return
    said = "approved" if kind == NoticeKind.APPROVED else "sent back"
    reason = f": {submission.feedback}" if kind == NoticeKind.REJECTED else ""
    url = address_of(target.pk, submission.step_key)
    notify(
        submission.organisation,
        [person],
        kind=kind,
        text=f"{by.display_name} has {said} {_what(submission)}{reason}",
        url=url,
        target=target,
        by=by,
    )


def overdue_reviews() -> SubmissionQuerySet:
    """What has waited longer than its step allows, oldest first. Nothing is ever approved by it."""
    return with_review_due(Submission.objects.awaiting_review()).filter(
        LessThan(F("review_due"), timezone.now())
    )


def with_review_due(rows: SubmissionQuerySet) -> SubmissionQuerySet:
    """With ``review_due``: when it should have been looked at; and ``step_name``."""
    step = FlowStep.objects.filter(revision=OuterRef("target__revision"), key=OuterRef("step_key"))
    hours = Coalesce(Subquery(step.values("review_hours")[:1]), Value(REVIEW_HOURS))
    return rows.annotate(
        step_name=Coalesce(Subquery(step.values("name")[:1]), Value("")),
        review_due=ExpressionWrapper(
            F("submitted_at") + hours * Value(timedelta(hours=1)), output_field=DateTimeField()
        ),
    )


def remind_reviewers() -> int:
    """Tell staff once of what has waited too long; how many there were."""
    rows = overdue_reviews().filter(reminded_at=None, target__ended_at=None)
    told = 0
    for submission in rows.select_related("organisation", "target__flow", "agent", "user")[:BATCH]:
        with transaction.atomic():
            first = Submission.objects.filter(pk=submission.pk, reminded_at=None)
            if not first.update(reminded_at=timezone.now()):
                continue
            notify(
                submission.organisation,
                staff_of(submission.organisation_id),
                kind=NoticeKind.REVIEW,
                text=f"{_what(submission)} of {submission.by_name} still waits for a review.",
                url=review_address(submission),
                target=submission.target,
                by=submission.user,
            )
            told += 1
    return told


def _what(submission: Submission) -> str:
    rows = FlowStep.objects.filter(revision=submission.target.revision_id, key=submission.step_key)
    name = rows.values_list("name", flat=True).first() or "a step"
    return f"“{name}” of “{submission.target.flow.name}”"
