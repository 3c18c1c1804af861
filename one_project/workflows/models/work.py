"""A piece of work: enqueued by itself, or the n-th step of a run (then also its journal)."""

from typing import Any

from django.db import models
from django.db.models import Q

from one_project.accounts.models import Organisation
from one_project.common.models import Entity, choice_check
from one_project.workflows.models.completion import Completed
from one_project.workflows.models.runs import WorkflowRun
from one_project.workflows.types import FINAL, OPEN, Kind, Status


class WorkItemQuerySet(models.QuerySet["WorkItem"]):
    def open(self) -> "WorkItemQuerySet":
        return self.filter(status__in=OPEN)

    def final(self) -> "WorkItemQuerySet":
        return self.filter(status__in=FINAL)

    def unsettled(self) -> "WorkItemQuerySet":
        """Ended steps that their run has not been given yet."""
        return self.final().filter(run__isnull=False, settled_seq=None)


class WorkItem(Completed, Entity):
    """One call of a registered function, or (as a step) a timer, an event or a child run.

    ``token`` is new with every attempt and asked for by every write about it, so that a worker
    that lost its lease records nothing. ``poke_at`` is the next moment somebody has to look: the
    end of the lease of a running item, the time a waiting one is due; none while it waits for
    something that will come by itself. ``settled_seq`` is the order in which the run was given the
    results; replaying follows it.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, null=True, blank=True, related_name="work_items"
    )
    run = models.ForeignKey(
        WorkflowRun, on_delete=models.CASCADE, null=True, blank=True, related_name="steps"
    )
    n = models.PositiveIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=11, choices=Kind.choices)
    name = models.CharField(max_length=200)
    function = models.CharField(max_length=200, blank=True)
    arguments = models.JSONField(default=dict)
    key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 (unique where set)
    pool = models.CharField(max_length=64, blank=True)
    priority = models.SmallIntegerField(default=0)
    status = models.CharField(max_length=8, choices=Status.choices)
    poke_at = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    pickups = models.PositiveSmallIntegerField(default=0)
    retry = models.JSONField(null=True, blank=True)
    timeout = models.FloatField(null=True, blank=True)
    lease = models.FloatField(default=6.0)
    token = models.UUIDField(null=True, blank=True)
    worker = models.CharField(max_length=80, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    settled_seq = models.PositiveIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    purge_at = models.DateTimeField(null=True, blank=True)

    objects = WorkItemQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("work_kind_known", "kind", Kind),
            choice_check("work_status_known", "status", Status),
            # One journal row per step of a run; also the index that reads a journal.
            models.UniqueConstraint(fields=["run", "n"], name="work_step_once"),
            models.UniqueConstraint(
                fields=["organisation", "function", "key"],
                condition=Q(key__isnull=False),
                nulls_distinct=False,
                name="work_once_per_key",
            ),
        ]
        indexes = [
            # Claiming: the next of each organisation in a pool.
            models.Index(
                fields=["pool", "organisation", "-priority", "id"],
                name="work_ready",
                condition=Q(status="ready"),
            ),
            # How many run in a pool, and of whom.
            models.Index(
                fields=["pool", "organisation"],
                name="work_running",
                condition=Q(status="running"),
            ),
            # The sweep: what is due or has lost its worker.
            models.Index(fields=["poke_at"], name="work_due", condition=Q(poke_at__isnull=False)),
            # Results that a run has not been given.
            models.Index(
                fields=["run"],
                name="work_unsettled",
                condition=Q(
                    status__in=[s.value for s in FINAL], settled_seq=None, run__isnull=False
                ),
            ),
            # The report of a minute, and retention.
            models.Index(fields=["pool", "finished_at"], name="work_finished"),
            models.Index(
                fields=["purge_at"], name="work_purge", condition=Q(purge_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def error_message(self) -> str:
        """The error as one line, empty where there is none."""
        found: dict[str, Any] = self.error or {}
        return str(found.get("message", ""))


class WorkflowStep(WorkItem):
    """A work item seen as a step of a run."""

    class Meta:
        proxy = True
