"""How far everybody is: a log that is only added to, and the state it adds up to."""

from django.db import models
from django.db.models import Q

from agents_app.models import Agent
from flows_app.conf import NAME_LIMIT
from flows_app.models.flows import Flow
from flows_app.models.lessons import LessonTarget
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, Entity, choice_check


class Status(models.TextChoices):
    """Exactly these, as people and programs know them."""

    NOT_STARTED = "Not Started"
    IN_PROGRESS = "In Progress"
    COMPLETED = "Completed"
    BLOCKED = "Blocked"
    SKIPPED = "Skipped"


class ActorType(models.TextChoices):
    USER = "user"
    AGENT = "agent"
    SYSTEM = "system"


class LogKind(models.TextChoices):
    """What an entry of the log tells. Only ``status`` moves a step."""

    ASSIGNED = "assigned", "Assigned"
    STATUS = "status", "Status"
    DUE = "due", "Due date"
    REVIEW = "review", "Review"
    REASSIGNED = "reassigned", "Reassigned"
    REVISION = "revision", "Moved to another revision"
    ENDED = "ended", "Ended"


class FlowProgress(Entity):
    """One entry of a target's log. Never changed nor deleted: a trigger refuses it.

    ``user`` or ``agent``: whose progress it is. ``actor_type`` with ``actor`` or ``actor_agent``:
    who said so. ``status`` is the one it became, ``from_status`` the one it was (both empty where
    the kind is another). ``seq`` counts from 1 in the target, without gaps. ``request_id`` makes a
    repeated request the same one.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="flow_progress"
    )
    target = models.ForeignKey(LessonTarget, on_delete=models.PROTECT, related_name="log")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=LogKind.choices, default=LogKind.STATUS)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="progress_log")
    step_key = models.UUIDField(null=True, blank=True)
    step_name = models.CharField(max_length=NAME_LIMIT, blank=True)
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="flow_progress"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="flow_progress"
    )
    actor_type = models.CharField(max_length=6, choices=ActorType.choices)
    actor = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="said_progress"
    )
    actor_agent = models.ForeignKey(
        Agent, on_delete=models.PROTECT, null=True, blank=True, related_name="said_progress"
    )
    from_status = models.CharField(max_length=11, choices=Status.choices, blank=True)
    status = models.CharField(max_length=11, choices=Status.choices, blank=True)
    reason = models.TextField(blank=True)
    notes = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001  (unique)

    class Meta:
        constraints = [
            choice_check("flow_progress_kind_known", "kind", LogKind),
            choice_check("flow_progress_actor_known", "actor_type", ActorType),
            models.CheckConstraint(
                name="flow_progress_status_known",
                condition=Q(kind="status", status__in=Status.values, from_status__in=Status.values)
                | ~Q(kind="status") & Q(status="", from_status=""),
            ),
            # History in order; replaying it gives the states.
            models.UniqueConstraint(fields=["target", "seq"], name="flow_progress_seq_once"),
            models.UniqueConstraint(
                fields=["target", "request_id"], name="flow_progress_request_once"
            ),
        ]
        indexes = [
            # Median times and activity of a flow.
            models.Index(fields=["flow", "step_key", "created_at"], name="flow_progress_of_step"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind} {self.step_name} {self.status}"


class StepState(ChangingEntity):
    """Where a step of a target stands now; no row means Not Started. Written with the log only.

    ``version`` counts changes: a form about an older one is refused. ``work`` is what was entered
    so far: ``{"ticked": [ids]}``, ``{"answers": {id: value}}``, ``{"files": [ids]}``,
    ``{"thread": id}``. ``due_at`` where it was set for this one. ``proposed``: an agent's word that
    the step is done, until somebody acts on it.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="step_states"
    )
    target = models.ForeignKey(LessonTarget, on_delete=models.CASCADE, related_name="states")
    step_key = models.UUIDField()
    status = models.CharField(max_length=11, choices=Status.choices, default=Status.NOT_STARTED)
    version = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)
    changed_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    changed_by_agent = models.ForeignKey(
        Agent, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    due_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)
    notes = models.TextField(blank=True)
    work = models.JSONField(default=dict, blank=True)
    proposed = models.TextField(blank=True)

    class Meta:
        constraints = [
            choice_check("step_state_status_known", "status", Status),
            # Also the index of every page that shows steps.
            models.UniqueConstraint(fields=["target", "step_key"], name="step_state_once"),
            models.CheckConstraint(
                name="step_state_completed_at",
                condition=Q(status="Completed", completed_at__isnull=False)
                | ~Q(status="Completed") & Q(completed_at=None),
            ),
        ]
        indexes = [
            # The board: what is blocked, in progress, … of an organisation, latest first.
            models.Index(fields=["organisation", "status", "-changed_at"], name="step_state_board"),
        ]

    def __str__(self) -> str:
        return f"{self.step_key} {self.status}"

    @property
    def changed_by_name(self) -> str:
        if self.changed_by is not None:
            return self.changed_by.display_name
        return self.changed_by_agent.name if self.changed_by_agent is not None else "ONE"
