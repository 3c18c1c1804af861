"""Texts kept for reuse: attached to agents, or put into the box by people."""

from django.db import models

from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity


class Prompt(ChangingEntity):
    """A named text of an organisation."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="prompts")
    name = models.CharField(max_length=120)
    text = models.TextField()
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="prompts"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "name"], name="prompt_name_unique_in_organisation"
            ),
        ]

    def __str__(self) -> str:
        return self.name
