"""What was sent to a run from outside."""

from django.db import models
from django.db.models import Q

from one_project.common.models import Entity
from one_project.workflows.models.runs import WorkflowRun
from one_project.workflows.models.work import WorkItem


class WorkflowEvent(Entity):
    """Kept from the moment it is sent until a step of that name consumes it (WF-14)."""

    run = models.ForeignKey(WorkflowRun, on_delete=models.CASCADE, related_name="events")
    name = models.CharField(max_length=200)
    key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 (unique where set)
    payload = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True)
    step = models.OneToOneField(
        WorkItem, on_delete=models.SET_NULL, null=True, blank=True, related_name="event"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "name", "key"],
                condition=Q(key__isnull=False),
                name="event_once_per_key",
            ),
        ]
        indexes = [
            # The next event of a name for a run that waits.
            models.Index(fields=["run", "name", "id"], name="workflow_event_next"),
        ]

    def __str__(self) -> str:
        return f"{self.name} for {self.run_id}"
