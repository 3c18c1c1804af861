"""What was handed to providers, attempt by attempt, and what they said of it later."""

from django.db import models
from django.db.models import Q

from integrations_app.models.channels import Channel
from integrations_app.models.integrations import Endpoint, Integration
from integrations_app.types import AttemptStatus, ChannelType, DeliveryStatus, Reason
from one_project.accounts.models import Organisation, User
from one_project.common.models import ChangingEntity, Entity, choice_check


class Delivery(ChangingEntity):
    """One message handed over, or to be. The row is the truth; a piece of work only carries it.

    ``content``: a ``Content`` as JSON. ``to``: the address as it is shown, masked where it is
    somebody's. ``address``: where it goes, sealed with the endpoint where that is secret: then the
    endpoint holds it and this is empty. ``idempotency_key``: one message for one key in an
    organisation. ``source``, ``source_id``: what asked for it (``notification``, ``tool_call``,
    ``letter``, ``test``, ``api``). ``fallbacks``: ids of integrations still to be tried.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="deliveries"
    )
    notification = models.ForeignKey(
        "integrations_app.Notification",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="deliveries",
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.SET_NULL, null=True, blank=True, related_name="deliveries"
    )
    integration = models.ForeignKey(
        Integration, on_delete=models.SET_NULL, null=True, blank=True, related_name="deliveries"
    )
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.SET_NULL, null=True, blank=True, related_name="deliveries"
    )
    # The person it is for, and the one (or whose agent) it is by.
    user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="deliveries"
    )
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    channel_type = models.CharField(max_length=9, choices=ChannelType.choices)
    source = models.CharField(max_length=16)
    source_id = models.UUIDField(null=True, blank=True)
    step = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=320, blank=True)
    to = models.CharField(max_length=320, blank=True)
    content = models.JSONField(default=dict)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001
    fallbacks = models.JSONField(default=list, blank=True)
    status = models.CharField(
        max_length=9, choices=DeliveryStatus.choices, default=DeliveryStatus.QUEUED
    )
    reason = models.CharField(max_length=16, choices=Reason.choices, blank=True)
    # In words for people; never what the provider sent as it is.
    error = models.CharField(max_length=300, blank=True)
    attempts_made = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    provider_message_id = models.CharField(max_length=300, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            choice_check("delivery_status_known", "status", DeliveryStatus),
            choice_check("delivery_channel_known", "channel_type", ChannelType),
            # None is no key: any number of them.
            models.UniqueConstraint(
                fields=["organisation", "idempotency_key"], name="delivery_once_per_key"
            ),
        ]
        indexes = [
            # The page of activity: newest of an organisation first, also one person's.
            models.Index(fields=["organisation", "-created_at"], name="delivery_newest"),
            models.Index(fields=["organisation", "user", "-created_at"], name="delivery_of_person"),
            # A status webhook finds the message by the provider's id.
            models.Index(
                fields=["integration", "provider_message_id"],
                condition=~Q(provider_message_id=""),
                name="delivery_by_provider_id",
            ),
            # The sweep: what waits for an attempt, or hangs in one.
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(status__in=["queued", "sending"]),
                name="delivery_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel_type} to {self.to}"


class DeliveryAttempt(Entity):
    """One try, written before anything is sent. ``started`` without an end is one whose process
    died: whether it was sent is not known."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="delivery_attempts"
    )
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    integration = models.ForeignKey(
        Integration, on_delete=models.SET_NULL, null=True, blank=True, related_name="attempts"
    )
    number = models.PositiveSmallIntegerField()
    status = models.CharField(
        max_length=8, choices=AttemptStatus.choices, default=AttemptStatus.STARTED
    )
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    # The provider's code of the error, as far as it is one word.
    code = models.CharField(max_length=60, blank=True)
    error = models.CharField(max_length=300, blank=True)
    provider_message_id = models.CharField(max_length=300, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            choice_check("delivery_attempt_status_known", "status", AttemptStatus),
            # Nobody begins the same attempt twice; also the index of a delivery's attempts.
            models.UniqueConstraint(fields=["delivery", "number"], name="delivery_attempt_once"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"


class InboundEvent(Entity):
    """What a provider or a program told us, with a verified signature; each event once.

    ``external_id``: the sender's id of the event, or a hash of its body. ``body`` without secrets,
    kept for 30 days.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="inbound_events"
    )
    integration = models.ForeignKey(
        Integration,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="inbound_events",
    )
    hook = models.ForeignKey(
        "integrations_app.InboundHook",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="events",
    )
    delivery = models.ForeignKey(
        Delivery, on_delete=models.SET_NULL, null=True, blank=True, related_name="events"
    )
    kind = models.CharField(max_length=60)
    external_id = models.CharField(max_length=200)
    body = models.JSONField(default=dict, blank=True)
    outcome = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            # The second copy of an event finds the first.
            models.UniqueConstraint(
                fields=["integration", "external_id"],
                condition=Q(integration__isnull=False),
                name="inbound_event_once",
            ),
            models.UniqueConstraint(
                fields=["hook", "external_id"],
                condition=Q(hook__isnull=False),
                name="inbound_hook_event_once",
            ),
        ]
        indexes = [
            # The sweep that forgets old ones.
            models.Index(fields=["created_at"], name="inbound_event_age"),
        ]

    def __str__(self) -> str:
        return self.kind
