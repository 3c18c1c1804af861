"""Notifications: their definitions, what was told to whom, and each one's way."""

from django.db import models
from django.db.models import Q

from integrations_app.models.deliveries import Delivery
from integrations_app.types import Reason
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, Entity


class NotificationWorkflow(ChangingEntity):
    """What happens when ``key`` is triggered: ``steps`` as ``runtime.notification_steps`` reads
    them. A row with the key of one defined in Python replaces it in this organisation."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="notification_workflows"
    )
    key = models.SlugField(max_length=64)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    category = models.SlugField(max_length=64, default="general")
    # Asks no preference; for what nobody may miss.
    is_critical = models.BooleanField(default=False)
    steps = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            # Also the index that finds one by what a trigger says.
            models.UniqueConstraint(
                fields=["organisation", "key"], name="notification_workflow_key_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class NotificationQuerySet(models.QuerySet["Notification"]):
    def in_inbox(self) -> "NotificationQuerySet":
        return self.filter(shown_at__isnull=False)


class Notification(ChangingEntity):
    """One trigger for one person: the root of its activity and, once shown, a line in their inbox.

    ``transaction_id``: the same trigger again makes no second one. ``run_id``: the durable run of
    its steps. ``shown_at``: when an in-app step put it into the inbox. ``url``: a path of ours.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="notifications"
    )
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="notifications"
    )
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    workflow = models.SlugField(max_length=64)
    category = models.SlugField(max_length=64, blank=True)
    is_critical = models.BooleanField(default=False)
    transaction_id = models.CharField(max_length=120)
    payload = models.JSONField(default=dict, blank=True)
    run_id = models.UUIDField(null=True, blank=True)
    title = models.CharField(max_length=200, blank=True)
    body = models.TextField(blank=True)
    url = models.CharField(max_length=500, blank=True)
    shown_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [
            # One trigger tells a person once.
            models.UniqueConstraint(
                fields=["organisation", "workflow", "transaction_id", "user"],
                nulls_distinct=False,
                name="notification_once",
            ),
        ]
        indexes = [
            # The inbox of a person, newest first, and its unread ones (the bell).
            models.Index(
                fields=["user", "organisation", "-shown_at"],
                condition=Q(shown_at__isnull=False),
                name="notification_inbox",
            ),
            models.Index(
                fields=["user", "organisation"],
                condition=Q(shown_at__isnull=False, read_at=None, archived_at=None),
                name="notification_unread",
            ),
            # The page of activity.
            models.Index(fields=["organisation", "-created_at"], name="notification_newest"),
            # Throttles and digests count those of one workflow and person.
            models.Index(
                fields=["organisation", "workflow", "user", "-created_at"],
                name="notification_of_workflow",
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.workflow


class NotificationEvent(Entity):
    """One line of a notification's way, in words: ``Reason`` and the step it was about."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="notification_events"
    )
    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="events")
    delivery = models.ForeignKey(
        Delivery, on_delete=models.SET_NULL, null=True, blank=True, related_name="told"
    )
    step = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=16, choices=Reason.choices)
    text = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [
            # One notification's way, in order.
            models.Index(fields=["notification", "created_at"], name="notification_way"),
        ]

    def __str__(self) -> str:
        return self.text or self.get_reason_display()


class DigestEntry(Entity):
    """A notification that waits to be told together with others of the same person and ``key``.

    The first is the leader: its run waits, and tells all of them.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="digest_entries"
    )
    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="digests")
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="digest_entries"
    )
    is_leader = models.BooleanField(default=False)
    workflow = models.SlugField(max_length=64)
    step = models.CharField(max_length=64)
    key = models.CharField(max_length=200, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # A notification is in one digest of a step.
            models.UniqueConstraint(fields=["notification", "step"], name="digest_entry_once"),
            # One open digest of a step, person and key.
            models.UniqueConstraint(
                fields=["organisation", "workflow", "step", "user", "key"],
                condition=Q(is_leader=True, closed_at=None),
                nulls_distinct=False,
                name="digest_leader_once",
            ),
        ]
        indexes = [
            # What a leader collects.
            models.Index(
                fields=["organisation", "workflow", "step", "user"],
                condition=Q(closed_at=None),
                name="digest_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step} {self.key}"
