"""The ledger of model calls: each one is a row, also one that failed."""

from decimal import Decimal

from django.db import models

from agents_app.models.agents import Agent
from one_project.accounts.models import Organisation, User
from one_project.common.models import Entity, choice_check


class AICallStatus(models.TextChoices):
    SUCCESS = "success"
    FAILED = "failed"
    STOPPED = "stopped"


class Purpose(models.TextChoices):
    """What the model was asked for."""

    ANSWER = "answer"
    OBJECT = "object"
    TITLE = "title"
    SUMMARY = "summary"
    ROUTING = "routing"
    PLAYGROUND = "playground"
    EMBEDDING = "embedding"


class AICall(Entity):
    """One call of a model. Times in milliseconds, tokens as the provider counts them.

    ``cached_input_tokens`` and ``cache_write_tokens`` are part of ``input_tokens``,
    ``reasoning_tokens`` of ``output_tokens``; ``is_estimated``: the provider sent no count.
    ``request`` and ``response`` are the raw values as ``ChatRequest.to_json`` and the answer's
    parts; they are emptied after ONE_RAW_CALL_DAYS, or never kept. ``cost_micros``: millionths of
    a US dollar; ``meta["price"]`` is ``estimated`` where the model has no listed price.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, null=True, blank=True, related_name="ai_calls"
    )
    user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="ai_calls"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="ai_calls"
    )
    agent_name = models.CharField(max_length=120, blank=True)
    thread_id = models.UUIDField(null=True, blank=True)
    turn_id = models.UUIDField(null=True, blank=True)
    message_id = models.UUIDField(null=True, blank=True)
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.ANSWER)
    model = models.CharField(max_length=120, blank=True)
    provider = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=7, choices=AICallStatus.choices)
    finish_reason = models.CharField(max_length=32, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cached_input_tokens = models.PositiveIntegerField(default=0)
    cache_write_tokens = models.PositiveIntegerField(default=0)
    reasoning_tokens = models.PositiveIntegerField(default=0)
    is_estimated = models.BooleanField(default=False)
    cost_micros = models.BigIntegerField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    first_token_ms = models.PositiveIntegerField(null=True, blank=True)
    request = models.JSONField(null=True, blank=True)
    response = models.JSONField(null=True, blank=True)

    # Exact, in US dollars; filled by ``services.ai_calls.with_costs``. None: no price is known.
    cost: Decimal | None = None

    class Meta:
        verbose_name = "AI call"
        constraints = [
            choice_check("ai_call_status_known", "status", AICallStatus),
            choice_check("ai_call_purpose_known", "purpose", Purpose),
        ]
        indexes = [
            # The admin's list and the ledger of an organisation, newest first.
            models.Index(fields=["organisation", "-created_at"], name="ai_call_newest"),
            # The playground: what a thread or a turn has cost.
            models.Index(fields=["thread_id", "created_at"], name="ai_call_of_thread"),
            # Raw values that have been kept long enough.
            models.Index(
                fields=["created_at"],
                name="ai_call_raw",
                condition=models.Q(request__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} by {self.model} ({self.status})"

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens
