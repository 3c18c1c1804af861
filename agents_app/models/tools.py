"""What an agent may do, as the organisation has set it up."""

from django.db import models
from django.db.models import Q

from one_project.accounts.models import Organisation, User
from one_project.accounts.models.grants import granted_ids
from one_project.common.models import ChangingEntity, Entity, choice_check


class ToolKind(models.TextChoices):
    BUILTIN = "builtin", "Built in"
    INTEGRATION = "integration", "Action of an integration"
    MCP = "mcp", "MCP server"
    HTTP = "http", "HTTP or OpenAPI"


class Effect(models.TextChoices):
    """What a use of the tool does to the world."""

    READ = "read", "Reads"
    WRITE = "write", "Writes here"
    EXTERNAL = "external", "Acts outside"
    DESTRUCTIVE = "destructive", "Destroys"


class Approval(models.TextChoices):
    """Whether a person is asked first; ``default`` follows the effect."""

    DEFAULT = "default", "By its effect"
    ALWAYS = "always", "Always ask"
    NEVER = "never", "Never ask"
    DENY = "deny", "Forbidden"


class ToolQuerySet(models.QuerySet["Tool"]):
    def active(self) -> "ToolQuerySet":
        return self.filter(is_active=True)

    def usable_by(self, user: User, organisation: Organisation) -> "ToolQuerySet":
        """The organisation's own, the person's, and those shared with them."""
        return self.filter(
            Q(created_by=None)
            | Q(created_by=user)
            | Q(pk__in=granted_ids(user, organisation, "tool")),
            organisation=organisation,
        )


class Tool(ChangingEntity):
    """A tool of one organisation, private to ``created_by`` unless granted (None: everybody's).

    ``action`` names what is done: a built-in tool, or an action of the integration. ``config``
    fixes what the model must not choose. A row with the name of a built-in tool sets that tool's
    policy here; ``deny`` forbids it to every agent.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="tools")
    name = models.CharField(max_length=64)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=11, choices=ToolKind.choices, default=ToolKind.BUILTIN)
    integration_id = models.UUIDField(null=True, blank=True)
    action = models.CharField(max_length=128, blank=True)
    config = models.JSONField(default=dict, blank=True)
    approval = models.CharField(max_length=7, choices=Approval.choices, default=Approval.DEFAULT)
    is_active = models.BooleanField(default=True)
    # Goes with its owner: without one it would be everybody's.
    created_by = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="tools"
    )

    objects = ToolQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("tool_kind_known", "kind", ToolKind),
            choice_check("tool_approval_known", "approval", Approval),
            # Also the index that finds a tool by the name a model says.
            models.UniqueConstraint(
                fields=["organisation", "name"], name="tool_name_unique_in_organisation"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ToolAllowance(Entity):
    """A person's "always allow this tool here"; deleting the row takes it back."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="tool_allowances"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tool_allowances")
    thread_id = models.UUIDField()
    tool_name = models.CharField(max_length=64)

    class Meta:
        constraints = [
            # Also the index of the question whether a call has to ask.
            models.UniqueConstraint(
                fields=["thread_id", "user", "tool_name"], name="tool_allowance_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool_name} in {self.thread_id}"
