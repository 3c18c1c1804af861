"""What was said. ``order`` counts prompts; ``step_order`` what belongs to one prompt."""

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from agents_app.models import Agent
from agents_app.providers.parts import Part, TextPart, ToolCallPart, part_from_json
from chat_app.models.threads import Thread
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, choice_check

if TYPE_CHECKING:
    from agents_app.models import ToolCall
    from billing_app.types.costs import CallCost


class MessageKind(models.TextChoices):
    USER = "user"
    AGENT = "agent"
    SYSTEM = "system"
    TOOL = "tool"


class MessageStatus(models.TextChoices):
    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"


class MessageQuerySet(models.QuerySet["Message"]):
    def in_order(self) -> "MessageQuerySet":
        return self.order_by("order", "step_order")

    def current(self) -> "MessageQuerySet":
        """Not replaced by an edit or a regenerated answer."""
        return self.filter(superseded_by=None)

    def without_tools(self) -> "MessageQuerySet":
        return self.filter(is_tool=False)


class Message(ChangingEntity):
    """One message: our own parts (``content``), and its text for reading and searching.

    ``content`` is a list of parts as ``agents_app.providers.base`` writes them. ``text`` is the
    text parts joined by a space (MS-14). ``superseded_by`` points at the message that stands in
    its place after an edit or a regenerated answer; the old one stays reachable from it.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="messages"
    )
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="messages")
    order = models.BigIntegerField()
    step_order = models.BigIntegerField()
    kind = models.CharField(max_length=6, choices=MessageKind.choices)
    status = models.CharField(
        max_length=7, choices=MessageStatus.choices, default=MessageStatus.SUCCESS
    )
    author = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages"
    )
    author_name = models.CharField(max_length=120, blank=True)
    content = models.JSONField(default=list, blank=True)
    text = models.TextField(blank=True)
    is_tool = models.BooleanField(default=False)
    error = models.TextField(blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=120, blank=True)
    provider = models.CharField(max_length=64, blank=True)
    finish_reason = models.CharField(max_length=32, blank=True)
    usage = models.JSONField(null=True, blank=True)
    provider_options = models.JSONField(null=True, blank=True)
    provider_metadata = models.JSONField(null=True, blank=True)
    sources = models.JSONField(default=list, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    superseded_by = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="supersedes"
    )
    client_key = models.UUIDField(null=True, blank=True)
    seq = models.BigIntegerField(default=0)
    # What wrote it; a turn of several steps has an answer and the use of tools for each.
    turn = models.ForeignKey(
        "Turn", on_delete=models.SET_NULL, null=True, blank=True, related_name="messages"
    )

    # Of a message of kind tool: filled by ``live.calls.attach_calls``.
    calls: "list[ToolCall]"
    # Of an answer: filled by ``live.costs.attach_costs``.
    cost: "CallCost | None" = None

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("message_kind_known", "kind", MessageKind),
            choice_check("message_status_known", "status", MessageStatus),
            # One place, one message; also the index of every page and of the next free order.
            models.UniqueConstraint(
                fields=["thread", "order", "step_order"], name="message_place_unique"
            ),
            # A repeated request makes one message.
            models.UniqueConstraint(
                fields=["thread", "client_key"],
                name="message_client_key_unique",
                condition=Q(client_key__isnull=False),
            ),
            models.CheckConstraint(
                name="message_place_not_negative", condition=Q(order__gte=0, step_order__gte=0)
            ),
        ]
        indexes = [
            # Catching up a viewer: what changed in a thread after a number.
            models.Index(fields=["thread", "seq"], name="message_changes"),
            # fail_pending_steps and the list by status.
            models.Index(
                fields=["thread", "order"], name="message_pending", condition=Q(status="pending")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.order}.{self.step_order}"

    @property
    def position(self) -> str:
        """``"<order>-<step_order>"``: the message's name in live records."""
        return f"{self.order}-{self.step_order}"

    @property
    def parts(self) -> list[Part]:
        return [part_from_json(part) for part in self.content]

    @property
    def has_earlier(self) -> bool:
        """Whether it stands in the place of an earlier version (kept in ``meta`` by the verb)."""
        return bool(self.meta.get("earlier"))

    @property
    def is_stopped(self) -> bool:
        return self.finish_reason == "stopped"


def text_of(parts: list[Part]) -> str:
    """The text parts joined by one space (MS-14)."""
    return " ".join(part.text for part in parts if isinstance(part, TextPart))


def is_tool_message(kind: str, parts: list[Part]) -> bool:
    """Whether the message belongs to the use of a tool (MS-14)."""
    return kind == MessageKind.TOOL or any(isinstance(part, ToolCallPart) for part in parts)
