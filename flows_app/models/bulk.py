"""Assigning to many at once: what was asked for, how far it is, what came of each row."""

from django.db import models

from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, choice_check


class BulkStatus(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"


class BulkAssignment(ChangingEntity):
    """One request to assign; ``request_id`` makes a repeated one the same.

    ``rows``: as ``flows_app.runtime.bulk_rows.BulkRow`` writes them. ``results``: of each row done
    so far ``[line, outcome, what it says]``. ``created`` counts targets, ``skipped`` who had the
    work already, ``failed`` rows with an error. ``total`` and ``done`` are rows; the next batch
    begins at ``done``. ``options``: ``{"timezone", "restart", "credit_days"}``.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="bulk_assignments"
    )
    requested_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="bulk_assignments"
    )
    request_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  (unique)
    status = models.CharField(max_length=7, choices=BulkStatus.choices, default=BulkStatus.RUNNING)
    rows = models.JSONField(default=list)
    options = models.JSONField(default=dict, blank=True)
    results = models.JSONField(default=list, blank=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            choice_check("bulk_assignment_status_known", "status", BulkStatus),
            # A repeated request finds the first one's row.
            models.UniqueConstraint(
                fields=["organisation", "request_id"], name="bulk_assignment_request_once"
            ),
        ]
        indexes = [
            # Staff's list of the last ones.
            models.Index(fields=["organisation", "-created_at"], name="bulk_assignment_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.done} of {self.total} rows"
