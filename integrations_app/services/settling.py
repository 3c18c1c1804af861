"""How a delivery ends, and who is told of it."""

import logging
from collections.abc import Callable
from typing import Any

from django.db import OperationalError, transaction
from django.utils import timezone

from integrations_app.models import Delivery
from integrations_app.services.way import tell_of
from integrations_app.types import SETTLED, DeliveryStatus, Reason

logger = logging.getLogger(__name__)

Follower = Callable[[Delivery], None]
_followers: dict[str, list[Follower]] = {}


def on_settled(source: str) -> Callable[[Follower], Follower]:
    """Have a function told when a delivery of this source is settled: once, in the transaction
    that settles it. What it raises is logged and undone; the delivery stays settled. Statuses
    that a provider tells afterwards are not told again."""

    def register(follower: Follower) -> Follower:
        known = _followers.setdefault(source, [])
        if follower not in known:
            known.append(follower)
        return follower

    return register


def settle(
    delivery: Delivery,
    status: DeliveryStatus,
    reason: Reason,
    *,
    error: str = "",
    message_id: str = "",
    asked: DeliveryStatus | None = None,
) -> bool:
    """Make it ``status`` for good, unless it is settled already (or is not ``asked`` any more).

    Compare-and-set; the row given is brought up to date. error: in our words. False: somebody else
    was faster and nothing was changed.
    """
    if status not in SETTLED:
        raise ValueError(f"{status} settles nothing")
    now = timezone.now()
    changes: dict[str, Any] = {
        "status": status,
        "reason": reason,
        "error": error[:300],
        "next_attempt_at": None,
        "settled_at": now,
        "updated_at": now,
        "integration_id": delivery.integration_id,
    }
    if status in (DeliveryStatus.ACCEPTED, DeliveryStatus.DELIVERED):
        changes |= {"accepted_at": now, "provider_message_id": message_id[:300]}
    with transaction.atomic(savepoint=False):
        rows = Delivery.objects.filter(pk=delivery.pk, settled_at=None)
        if asked is not None:
            rows = rows.filter(status=asked)
        if not rows.update(**changes):
            return False
        for name, value in changes.items():
            setattr(delivery, name, value)
        tell_of(delivery, reason, error)
        told(delivery)
    return True


def told(delivery: Delivery) -> None:
    """Call the followers of a delivery that was settled in this transaction."""
    for follower in _followers.get(delivery.source, ()):
        try:
            with transaction.atomic():
                follower(delivery)
        except OperationalError:
            # The transaction as a whole is tried again.
            raise
        except Exception:
            logger.exception("delivery %s: a follower of %s failed", delivery.pk, delivery.source)
