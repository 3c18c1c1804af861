"""The event log: what happened in an organisation, by whom, to what. Append only."""

from django.db import models

from one_project.accounts.models.organisations import Organisation
from one_project.accounts.models.users import User
from one_project.common.models import Entity


class Event(Entity):
    """One past fact, e.g. ``agent_thread_created`` or ``agent_error``.

    ``target`` is opaque (``"thread:<uuid>"``): events outlive what they tell of, and apps above
    this one own the things. ``data`` never holds message text or secrets.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=64)
    actor = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="events"
    )
    target = models.CharField(max_length=120, blank=True)
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes = [
            # The admin's list: newest of an organisation first, also by kind.
            models.Index(fields=["organisation", "-created_at"], name="event_newest"),
            models.Index(fields=["organisation", "kind", "-created_at"], name="event_by_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"
