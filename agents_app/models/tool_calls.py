"""One proposed or executed use of a tool, and the only record of what came of it."""

from django.db import models
from django.db.models import Q

from agents_app.models.agents import Agent
from agents_app.models.tools import Effect, Tool
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, choice_check
from one_project.workflows.models import WorkItem


class CallStatus(models.TextChoices):
    PROPOSED = "proposed"
    AWAITING_APPROVAL = "awaiting_approval", "Waits for approval"
    APPROVED = "approved", "Approved"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waits for an answer"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"
    TIMED_OUT = "timed_out", "Took too long"
    DENIED = "denied", "Denied"
    EXPIRED = "expired", "Expired"
    CANCELED = "canceled", "Canceled"
    UNKNOWN = "unknown", "Outcome unknown"


OPEN = (
    CallStatus.PROPOSED,
    CallStatus.AWAITING_APPROVAL,
    CallStatus.APPROVED,
    CallStatus.RUNNING,
    CallStatus.WAITING,
)


class ToolCallQuerySet(models.QuerySet["ToolCall"]):
    def open(self) -> "ToolCallQuerySet":
        return self.filter(status__in=OPEN)

    def awaiting_approval(self) -> "ToolCallQuerySet":
        return self.filter(status=CallStatus.AWAITING_APPROVAL)

    def sending(self) -> "ToolCallQuerySet":
        """Those whose result is the end of a message on its way, not a person's word."""
        return self.filter(status=CallStatus.WAITING, meta__has_key="delivery")

    def in_order(self) -> "ToolCallQuerySet":
        return self.order_by("created_at", "position")


class ToolCall(ChangingEntity):
    """``proposed`` → ``awaiting_approval`` → ``approved`` → ``running`` → an end.

    ``waiting``: the tool has begun something that somebody else ends (a question, a delegation).
    ``arguments`` are what the model said once they fit the tool (else the raw text, and the call
    failed); ``args_hash`` binds an approval to them. ``output`` is the whole result, ``told`` what
    the model is given of it. ``replaces``: the call that a person changed before approving it.
    The thread, turn and message are ids: the app above owns them. The key is the idempotency key.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="tool_calls"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="tool_calls"
    )
    requested_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="tool_calls"
    )
    tool = models.ForeignKey(
        Tool, on_delete=models.SET_NULL, null=True, blank=True, related_name="calls"
    )
    thread_id = models.UUIDField(null=True, blank=True)
    turn_id = models.UUIDField(null=True, blank=True)
    message_id = models.UUIDField(null=True, blank=True)
    call_id = models.CharField(max_length=128)
    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=128)
    effect = models.CharField(max_length=11, choices=Effect.choices, default=Effect.READ)
    arguments = models.JSONField(default=dict)
    args_hash = models.CharField(max_length=64)
    custom = models.JSONField(default=dict, blank=True)
    status = models.CharField(
        max_length=17, choices=CallStatus.choices, default=CallStatus.PROPOSED
    )
    work = models.OneToOneField(
        WorkItem, on_delete=models.SET_NULL, null=True, blank=True, related_name="tool_call"
    )
    replaces = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="replaced_by"
    )
    decided_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="decided_tool_calls"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    output = models.JSONField(null=True, blank=True)
    told = models.TextField(blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    child_thread_id = models.UUIDField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ToolCallQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("tool_call_status_known", "status", CallStatus),
            choice_check("tool_call_effect_known", "effect", Effect),
            # A step that is stored again proposes nothing twice; also the calls of a message.
            models.UniqueConstraint(
                fields=["message_id", "call_id"],
                name="tool_call_once_per_message",
                condition=Q(replaces=None),
            ),
        ]
        indexes = [
            # The turn that waits for its calls, and the repeated call that is stopped.
            models.Index(fields=["turn_id"], name="tool_call_of_turn"),
            # The thread's cards and its purge.
            models.Index(fields=["thread_id"], name="tool_call_of_thread"),
            # The inbox: what waits for people, never found by scanning.
            models.Index(
                fields=["organisation", "created_at"],
                name="tool_call_for_people",
                condition=Q(status__in=["awaiting_approval", "waiting", "unknown"]),
            ),
            # The sweep of approvals that ran out.
            models.Index(
                fields=["expires_at"],
                name="tool_call_expiring",
                condition=Q(status="awaiting_approval"),
            ),
            # A delegation's end looks for who waits for it.
            models.Index(
                fields=["child_thread_id"],
                name="tool_call_child",
                condition=Q(child_thread_id__isnull=False),
            ),
            # The admin's list, newest first.
            models.Index(fields=["organisation", "-created_at"], name="tool_call_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_sending(self) -> bool:
        """Whether a message on its way gives its result."""
        return self.status == CallStatus.WAITING and "delivery" in self.meta

    @property
    def is_error(self) -> bool:
        """Whether the model is told that it did not work."""
        return not self.is_open and self.status != CallStatus.SUCCEEDED

    @property
    def duration_ms(self) -> int | None:
        """From its start to its end; None while there is none."""
        if self.started_at is None or self.finished_at is None:
            return None
        return round((self.finished_at - self.started_at).total_seconds() * 1000)
