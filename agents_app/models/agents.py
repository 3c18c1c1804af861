"""The agent: who answers, with which model, told what."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agents_app.models.collections import Collection
from agents_app.models.prompts import Prompt
from one_project.accounts.models import Organisation, User
from one_project.accounts.models.grants import granted_ids
from one_project.common.models import ChangingEntity, choice_check


class AgentKind(models.TextChoices):
    SYSTEM_AGENT = "system_agent", "Agent of the organisation"
    USER_AGENT = "user_agent", "Agent of one person"


class Knowledge(models.TextChoices):
    PERSON = "person", "All that the person may read"
    GRANTED = "granted", "The collections chosen below"
    NONE = "none", "None"


class AgentQuerySet(models.QuerySet["Agent"]):
    def active(self) -> "AgentQuerySet":
        return self.filter(is_active=True)

    def usable_by(self, user: User, organisation: Organisation) -> "AgentQuerySet":
        """The organisation's agents, the person's own, and those shared with them."""
        return self.active().filter(
            Q(kind=AgentKind.SYSTEM_AGENT)
            | Q(created_by=user)
            | Q(is_shared=True)
            | Q(pk__in=granted_ids(user, organisation, "agent")),
            organisation=organisation,
        )


class Agent(ChangingEntity):
    """Who answers in threads. ``model`` empty means the installation's default chat model.

    ``options`` are read as ``agents_app.types.AgentOptions``; ``tools`` is the allow-list of tool
    names; ``starters`` are questions offered in an empty thread. ``code_name``: the agent defined
    in Python under this name, whose definition wins over the columns.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="agents")
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=500, blank=True)
    kind = models.CharField(
        max_length=12, choices=AgentKind.choices, default=AgentKind.SYSTEM_AGENT
    )
    prompt = models.TextField(blank=True)
    model = models.CharField(max_length=120, blank=True)
    avatar = models.CharField(max_length=8, blank=True, help_text="One emoji or two letters.")
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    tools = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    code_name = models.CharField(max_length=120, blank=True)
    starters = ArrayField(models.CharField(max_length=160), default=list, blank=True)
    delegates_to = models.ManyToManyField(
        "self", symmetrical=False, blank=True, related_name="delegated_from"
    )
    attached_prompts = models.ManyToManyField(Prompt, blank=True, related_name="agents")
    # What ``search_knowledge`` looks into; always within the rights of the person it works for.
    knowledge = models.CharField(max_length=7, choices=Knowledge.choices, default=Knowledge.PERSON)
    collections = models.ManyToManyField(Collection, blank=True, related_name="agents")
    options = models.JSONField(default=dict, blank=True)
    is_shared = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="agents"
    )

    objects = AgentQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("agent_kind_known", "kind", AgentKind),
            choice_check("agent_knowledge_known", "knowledge", Knowledge),
            models.UniqueConstraint(
                fields=["organisation", "code_name"],
                name="agent_code_name_once",
                condition=~Q(code_name=""),
            ),
        ]
        indexes = [
            # The agent picker: an organisation's agents by name.
            models.Index(fields=["organisation", "name"], name="agent_picker"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def mark(self) -> str:
        """What the round avatar shows."""
        return self.avatar or self.name[:1].upper()
