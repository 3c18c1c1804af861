"""What the conditions and texts of a notification's steps know."""

from typing import Any, Final

from integrations_app.models import Delivery, Notification
from integrations_app.types import DeliveryStatus, Reason

# A delivery in the words of conditions.
WORDS: Final = {
    DeliveryStatus.QUEUED: "waiting",
    DeliveryStatus.SENDING: "waiting",
    DeliveryStatus.ACCEPTED: "sent",
    DeliveryStatus.DELIVERED: "sent",
    DeliveryStatus.BOUNCED: "failed",
    DeliveryStatus.FAILED: "failed",
    DeliveryStatus.UNKNOWN: "unknown",
    DeliveryStatus.SKIPPED: "failed",
    DeliveryStatus.CANCELED: "skipped",
}


def facts_of(row: Notification) -> dict[str, Any]:
    """payload, subscriber, organisation, notification (seen, read) and steps by id.

    A step's ``status`` is waiting, sent, failed, unknown, skipped or done; ``seen`` and ``read``
    are about what it told.
    """
    user, steps = row.user, {k: dict(v) for k, v in row.meta.get("steps", {}).items()}
    deliveries = Delivery.objects.filter(notification=row).order_by("created_at", "pk")
    for name, status in deliveries.values_list("step", "status"):
        steps.setdefault(name, {})["status"] = WORDS[DeliveryStatus(status)]
    opened = set(row.events.filter(reason=Reason.OPENED).values_list("step", flat=True))
    is_read = row.read_at is not None or bool(opened)
    is_seen = row.seen_at is not None or is_read
    for name, known in steps.items():
        known |= {"seen": is_seen, "read": is_read, "opened": name in opened}
    return {
        "payload": row.payload,
        "subscriber": {
            "id": str(user.pk) if user else "",
            "name": user.display_name if user else "",
            "email": user.email if user else "",
            "timezone": user.timezone if user else "UTC",
        },
        "organisation": {"name": row.organisation.name},
        "notification": {
            "id": str(row.pk),
            "seen": is_seen,
            "read": is_read,
            "category": row.category,
            "critical": row.is_critical,
        },
        "steps": steps,
    }
