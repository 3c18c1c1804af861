"""One run of a workflow function."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from one_project.accounts.models import Organisation
from one_project.common.models import ChangingEntity, choice_check
from one_project.workflows.models.completion import Completed


class RunStatus(models.TextChoices):
    """The last three are final."""

    RUNNING = "running"
    PAUSED = "paused"
    SUCCESS = "success"
    ERROR = "error"
    CANCELED = "canceled"


class WorkflowRunQuerySet(models.QuerySet["WorkflowRun"]):
    def open(self) -> "WorkflowRunQuerySet":
        return self.filter(status__in=[RunStatus.RUNNING, RunStatus.PAUSED])

    def finished(self) -> "WorkflowRunQuerySet":
        return self.exclude(status__in=[RunStatus.RUNNING, RunStatus.PAUSED])


class WorkflowRun(Completed, ChangingEntity):
    """The run and what it was given; its journal are the work items that carry its id.

    ``generation`` grows with every visible change. ``poke_at`` is the next moment somebody has to
    look at it; none while it waits for steps, timers or events, which have their own.
    ``organisation`` is none for the installation's own chores, ``started_by`` the person it
    belongs to.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, null=True, blank=True, related_name="workflow_runs"
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="workflow_runs",
    )
    workflow = models.CharField(max_length=200)
    version = models.PositiveIntegerField(default=1)
    key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 (unique where set)
    arguments = models.JSONField(default=dict)
    status = models.CharField(max_length=8, choices=RunStatus.choices, default=RunStatus.RUNNING)
    result = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    priority = models.SmallIntegerField(default=0)
    generation = models.PositiveBigIntegerField(default=0)
    settled = models.PositiveIntegerField(default=0)
    journal_bytes = models.PositiveIntegerField(default=0)
    poke_at = models.DateTimeField(null=True, blank=True)
    pokes = models.PositiveSmallIntegerField(default=0)
    deadline = models.DateTimeField(null=True, blank=True)
    parent_step = models.OneToOneField(
        "workflows.WorkItem",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="child",
        db_constraint=False,
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    purge_at = models.DateTimeField(null=True, blank=True)

    objects = WorkflowRunQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("run_status_known", "status", RunStatus),
            models.UniqueConstraint(
                fields=["organisation", "workflow", "key"],
                condition=Q(key__isnull=False),
                nulls_distinct=False,
                name="run_once_per_key",
            ),
        ]
        indexes = [
            # The sweep: what is due.
            models.Index(fields=["poke_at"], name="run_due", condition=Q(poke_at__isnull=False)),
            models.Index(
                fields=["deadline"],
                name="run_deadline",
                condition=Q(deadline__isnull=False, finished_at=None),
            ),
            # The list of an organisation's runs, newest first, also by name and state.
            models.Index(fields=["organisation", "-created_at"], name="run_newest"),
            models.Index(fields=["organisation", "status", "-created_at"], name="run_by_state"),
            # How many of an organisation ended in the last minute, and of all.
            models.Index(fields=["organisation", "finished_at"], name="run_ended"),
            models.Index(fields=["finished_at"], name="run_ended_of_all"),
            # What goes on.
            models.Index(
                fields=["status"], name="run_open", condition=Q(status__in=["running", "paused"])
            ),
            models.Index(fields=["workflow", "status", "-created_at"], name="run_by_name"),
            # Retention.
            models.Index(
                fields=["purge_at"], name="run_purge", condition=Q(purge_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.status in {RunStatus.RUNNING, RunStatus.PAUSED}
