"""Something a person has to do, written down by an agent or a person."""

from django.db import models
from django.db.models import Q

from agents_app.models import Agent
from chat_app.models.threads import Thread
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, choice_check


class Priority(models.TextChoices):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Task(ChangingEntity):
    """``done_at`` None: still to do. ``user`` sees it and ticks it off."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="tasks")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tasks")
    thread = models.ForeignKey(
        Thread, on_delete=models.SET_NULL, null=True, blank=True, related_name="tasks"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="tasks"
    )
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    priority = models.CharField(max_length=6, choices=Priority.choices, default=Priority.MEDIUM)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [choice_check("task_priority_known", "priority", Priority)]
        indexes = [
            # A person's list of what is to be done.
            models.Index(
                fields=["user", "organisation", "created_at"],
                name="task_to_do",
                condition=Q(done_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.title
