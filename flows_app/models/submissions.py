"""What was handed in for a review: by a person, or by an agent that did a step."""

from django.db import models
from django.db.models import Q

from agents_app.models import Agent
from flows_app.models.lessons import LessonTarget
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, choice_check
from one_project.workflows.models import WorkflowRun


class SubmissionStatus(models.TextChoices):
    QUEUED = "queued", "Waiting for the agent"
    RUNNING = "running", "The agent is at work"
    AWAITING_REVIEW = "awaiting_review", "Waiting for a review"
    APPROVED = "approved", "Approved"
    EDITED = "edited", "Approved with changes"
    REJECTED = "rejected", "Sent back"
    EXPIRED = "expired", "Overtaken"
    FAILED = "failed", "Failed"


OPEN = (SubmissionStatus.QUEUED, SubmissionStatus.RUNNING, SubmissionStatus.AWAITING_REVIEW)


class SubmissionQuerySet(models.QuerySet["Submission"]):
    def open(self) -> "SubmissionQuerySet":
        return self.filter(status__in=OPEN)

    def awaiting_review(self) -> "SubmissionQuerySet":
        """The review queue, oldest first."""
        return self.filter(status=SubmissionStatus.AWAITING_REVIEW).order_by("submitted_at", "pk")


class Submission(ChangingEntity):
    """One try at a step that staff review. ``number`` counts within the step of the target.

    ``task``: what was asked for (of an agent: its whole prompt). ``draft``: what came of it, as
    untrusted Markdown; ``final`` what staff made of it. ``feedback``: why it was sent back.
    ``state_version``: the step's version it belongs to. ``tokens`` and ``cost`` (millionths of the
    organisation's currency; None: no price known) are those of all model calls. ``work`` is a copy
    of what a person entered.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="submissions"
    )
    target = models.ForeignKey(LessonTarget, on_delete=models.CASCADE, related_name="submissions")
    step_key = models.UUIDField()
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=15, choices=SubmissionStatus.choices)
    state_version = models.PositiveIntegerField(default=0)
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="submissions"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="submissions"
    )
    requested_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    run = models.ForeignKey(
        WorkflowRun, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    thread_id = models.UUIDField(null=True, blank=True)
    task = models.TextField(blank=True)
    draft = models.TextField(blank=True)
    final = models.TextField(blank=True)
    feedback = models.TextField(blank=True)
    error = models.TextField(blank=True)
    work = models.JSONField(default=dict, blank=True)
    tokens = models.PositiveBigIntegerField(default=0)
    cost = models.BigIntegerField(null=True, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="reviewed_submissions"
    )
    reminded_at = models.DateTimeField(null=True, blank=True)

    objects = SubmissionQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("submission_status_known", "status", SubmissionStatus),
            models.UniqueConstraint(
                fields=["target", "step_key", "number"], name="submission_number_once"
            ),
            # One try at a time.
            models.UniqueConstraint(
                fields=["target", "step_key"],
                name="submission_open_once",
                condition=Q(status__in=["queued", "running", "awaiting_review"]),
            ),
            models.CheckConstraint(
                name="submission_by_one", condition=Q(user=None) | Q(agent=None)
            ),
        ]
        indexes = [
            # The review queue.
            models.Index(
                fields=["organisation", "submitted_at"],
                name="submission_queue",
                condition=Q(status="awaiting_review"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step_key} {self.number} {self.status}"

    @property
    def by_name(self) -> str:
        if self.agent is not None:
            return self.agent.name
        return self.user.display_name if self.user is not None else "Nobody"
