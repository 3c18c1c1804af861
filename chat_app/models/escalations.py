"""An agent has asked for a person: who takes the thread over, and when it is handed back."""

from django.db import models
from django.db.models import Q

from agents_app.models import Agent
from chat_app.models.threads import Thread
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, choice_check


class EscalationStatus(models.TextChoices):
    WAITING_FOR_HUMAN = "waiting_for_human", "Waits for a person"
    TAKEN = "taken", "A person is in the thread"
    CLOSED = "closed", "Handed back"


class EscalationQuerySet(models.QuerySet["Escalation"]):
    def open(self) -> "EscalationQuerySet":
        return self.exclude(status=EscalationStatus.CLOSED)


class Escalation(ChangingEntity):
    """One open escalation of a thread at a time."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="escalations"
    )
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="escalations")
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="escalations"
    )
    requested_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="escalations"
    )
    reason = models.CharField(max_length=500)
    status = models.CharField(
        max_length=17,
        choices=EscalationStatus.choices,
        default=EscalationStatus.WAITING_FOR_HUMAN,
    )
    taken_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="taken_escalations"
    )
    taken_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = EscalationQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("escalation_status_known", "status", EscalationStatus),
            # Asking twice is one escalation.
            models.UniqueConstraint(
                fields=["thread"],
                name="escalation_open_once",
                condition=Q(status__in=["waiting_for_human", "taken"]),
            ),
        ]
        indexes = [
            # The inbox of staff: what waits, oldest first.
            models.Index(
                fields=["organisation", "created_at"],
                name="escalation_waiting",
                condition=Q(status__in=["waiting_for_human", "taken"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}"
