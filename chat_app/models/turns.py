"""The durable request for one answer: claimed, streamed, finished by a worker."""

from django.db import models
from django.db.models import Q

from agents_app.models import Agent
from chat_app.models.messages import Message
from chat_app.models.threads import Thread
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, choice_check
from one_project.workflows.models import WorkItem


class TurnStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCESS = "success"
    FAILED = "failed"
    STOPPED = "stopped"


OPEN_TURNS = (TurnStatus.QUEUED, TurnStatus.RUNNING, TurnStatus.WAITING)


class TurnQuerySet(models.QuerySet["Turn"]):
    def open(self) -> "TurnQuerySet":
        return self.filter(status__in=OPEN_TURNS)

    def owned(self, attempt: int) -> "TurnQuerySet":
        """Still this attempt's: nobody stopped, finished or took it over."""
        return self.filter(status=TurnStatus.RUNNING, attempt=attempt)


class Turn(ChangingEntity):
    """``queued`` → ``running`` → ``success`` / ``failed`` / ``stopped``.

    A step is one call of the model. Where it asks for tools the turn is ``waiting``, held by no
    worker, for seconds or for weeks, until every call has a result; then it is ``queued`` again
    for its next step. ``message`` is the answer of the present step (or of the last one), ``step``
    its number from 1.

    ``work`` is the piece of work that a worker claims, keeps alive and repeats when a worker is
    lost. ``attempt`` counts how often a step was begun: only the latest may write; ``restarts``
    how often the present step was begun again. The partial answer (``partial``, with the number of
    the last live record, ``partial_seq``) is replaced, never appended to, when it is claimed again.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="turns")
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="turns")
    prompt = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="asked_turns")
    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="+")
    agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="turns"
    )
    work = models.OneToOneField(
        WorkItem, on_delete=models.SET_NULL, null=True, blank=True, related_name="turn"
    )
    requested_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="turns"
    )
    status = models.CharField(max_length=7, choices=TurnStatus.choices, default=TurnStatus.QUEUED)
    client_key = models.UUIDField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    step = models.PositiveIntegerField(default=1)
    restarts = models.PositiveIntegerField(default=0)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    partial = models.TextField(blank=True)
    partial_seq = models.PositiveIntegerField(default=0)
    options = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    error_code = models.CharField(max_length=64, blank=True)

    objects = TurnQuerySet.as_manager()

    class Meta:
        constraints = [
            choice_check("turn_status_known", "status", TurnStatus),
            # A double click or a repeated request makes one turn.
            models.UniqueConstraint(
                fields=["organisation", "client_key"],
                name="turn_client_key_unique",
                condition=Q(client_key__isnull=False),
            ),
        ]
        indexes = [
            # The page and the hub: what is being answered in a thread.
            models.Index(
                fields=["thread"],
                name="turn_open",
                condition=Q(status__in=["queued", "running", "waiting"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} turn of {self.thread_id}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_TURNS
