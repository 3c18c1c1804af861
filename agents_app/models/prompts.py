"""Texts kept for reuse: attached to agents, or put into the box by people."""

from django.db import models
from django.db.models import Q

from one_project.accounts.models import Organisation, User
from one_project.accounts.models.grants import granted_ids
from one_project.common.models import ChangingEntity, Entity


class PromptQuerySet(models.QuerySet["Prompt"]):
    def usable_by(self, user: User, organisation: Organisation) -> "PromptQuerySet":
        """The organisation's own, the person's, and those shared with them."""
        return self.filter(
            Q(created_by=user)
            | Q(is_shared=True)
            | Q(pk__in=granted_ids(user, organisation, "prompt")),
            organisation=organisation,
        )


class Prompt(ChangingEntity):
    """A named text of an organisation. ``text`` is the newest version, ``version`` its number.

    ``{{ name }}`` in it is filled from the context of the thread it is used in.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="prompts")
    name = models.CharField(max_length=120)
    text = models.TextField()
    version = models.PositiveIntegerField(default=1)
    is_shared = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="prompts"
    )

    objects = PromptQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "name"], name="prompt_name_unique_in_organisation"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PromptVersion(Entity):
    """One text a prompt has had; never changed."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="prompt_versions"
    )

    class Meta:
        constraints = [
            # Also the index of a prompt's history.
            models.UniqueConstraint(fields=["prompt", "number"], name="prompt_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.prompt} v{self.number}"
