"""What the nightly check of the books has found."""

from django.db import models

from one_project.common.models import Entity


class Reconciliation(Entity):
    """One check of all invariants. ``findings``: for each its ``number``, ``name``, ``is_ok``,
    ``checked`` (how much was looked at), ``difference`` and ``detail``."""

    is_ok = models.BooleanField()
    findings = models.JSONField(default=list)
    duration_ms = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["-created_at"], name="reconciliation_newest")]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d} {'ok' if self.is_ok else 'broken'}"
