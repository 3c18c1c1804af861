"""The way of a notification: one line for everything that happened to it."""

from django.db import transaction

from integrations_app.models import Delivery, Notification, NotificationEvent
from integrations_app.types import Reason
from one_project.common.publish import publish_on_commit

INBOX = b"i\n"


def tell(
    notification: Notification,
    reason: Reason | str,
    *,
    step: str = "",
    text: str = "",
    delivery: Delivery | None = None,
) -> NotificationEvent:
    """Add a line, in the caller's transaction. ``text``: ours, for people, 300 characters of it;
    empty says what ``reason`` says. Never what a provider sent as it is."""
    return NotificationEvent.objects.create(
        organisation_id=notification.organisation_id,
        notification=notification,
        delivery=delivery,
        step=step[:64],
        reason=Reason(reason),
        text=text[:300],
    )


def tell_of(delivery: Delivery, reason: Reason | str, text: str = "") -> None:
    """A line about a delivery, if it is one of a notification; wakes the pages of its people."""
    if delivery.notification_id is not None:
        NotificationEvent.objects.create(
            organisation_id=delivery.organisation_id,
            notification_id=delivery.notification_id,
            delivery=delivery,
            step=delivery.step,
            reason=Reason(reason),
            text=text[:300],
        )
    wake(delivery)


def wake(delivery: Delivery) -> None:
    """Have the pages of whom it is for and by look again, after commit."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a change of a delivery is told within its transaction")
    for user_id in {delivery.user_id, delivery.by_id} - {None}:
        publish_on_commit(f"one:u:{user_id}", INBOX)
