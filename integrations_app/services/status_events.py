"""What providers tell us of messages they have taken: verified, counted once, applied forwards."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from integrations_app.errors import SignatureInvalid
from integrations_app.models import Delivery, InboundEvent, Integration
from integrations_app.providers.base import Account, Provider, Request, StatusEvent
from integrations_app.providers.payments import PaymentEvent, PaymentProvider
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.accounts import account_of
from integrations_app.services.blocking import block_address
from integrations_app.services.payments import receive_payments
from integrations_app.services.way import tell_of
from integrations_app.types import DeliveryStatus, EndpointStatus, Reason
from one_project.common.errors import AppError, InvalidInput, NotFound
from one_project.common.masking import shown
from one_project.common.sealing import SealBroken

MAX_EVENTS: Final = 1_000  # of one request
KEPT: Final = timedelta(days=30)

# A status replaces only what comes before it: webhooks arrive in any order. A hard bounce after
# "delivered" is the last word (the mailbox took it and sent it back).
_ORDER: Final = {
    DeliveryStatus.QUEUED: 0,
    DeliveryStatus.SENDING: 0,
    DeliveryStatus.UNKNOWN: 1,
    DeliveryStatus.ACCEPTED: 2,
    DeliveryStatus.FAILED: 3,
    DeliveryStatus.DELIVERED: 4,
    DeliveryStatus.BOUNCED: 5,
}
_BLOCKS: Final = {
    Reason.BOUNCED: EndpointStatus.BOUNCED,
    Reason.COMPLAINED: EndpointStatus.UNSUBSCRIBED,
    Reason.UNSUBSCRIBED: EndpointStatus.UNSUBSCRIBED,
}


def receive(integration_id: UUID, request: Request) -> int:
    """Take a status webhook; how many of its events are new.

    Raises NotFound for an integration that is not there or tells nothing, SignatureInvalid for
    what its provider did not send now, InvalidInput for what cannot be read.
    """
    integration = Integration.objects.filter(pk=integration_id).first()
    if integration is None:
        raise NotFound
    provider = _telling(integration)
    try:
        account = account_of(integration)
    except (AppError, SealBroken) as error:
        raise SignatureInvalid(detail=type(error).__name__) from error
    provider.verify_webhook(account, request)
    if isinstance(provider, PaymentProvider):
        return receive_payments(integration, _told_of_payments(provider, account, request))
    try:
        events = provider.parse_status(account, request)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise InvalidInput("This is not a status.", detail=type(error).__name__) from error
    if len(events) > MAX_EVENTS:
        raise InvalidInput(f"A request tells of at most {MAX_EVENTS:,} events.")
    return sum(_take(integration, one) for one in events)


def _told_of_payments(
    provider: PaymentProvider, account: Account, request: Request
) -> list[PaymentEvent]:
    try:
        return provider.parse_payments(account, request)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise InvalidInput("This is not a payment.", detail=type(error).__name__) from error


def _telling(integration: Integration) -> Provider:
    try:
        provider = provider_of(integration.provider)
    except AppError as error:
        raise NotFound from error
    if not provider.has_webhook:
        raise NotFound
    return provider


@transaction.atomic
def _take(integration: Integration, event: StatusEvent) -> bool:
    """Keep one event and apply it; False: it was known."""
    stored = InboundEvent(
        organisation_id=integration.organisation_id,
        integration=integration,
        kind=str(event.reason)[:60],
        external_id=_bounded(event.external_id),
        body=_kept(event.body),
    )
    # In one statement, so that of two copies at the same moment one is the first.
    InboundEvent.objects.bulk_create([stored], ignore_conflicts=True)
    if not InboundEvent.objects.filter(pk=stored.pk).exists():
        return False
    if event.message_id:
        lock_message(integration.pk, event.message_id)
    delivery = _of(integration, event.message_id)
    changes: dict[str, Any] = {"delivery": delivery}
    if delivery is None:
        changes |= {"outcome": "No such message.", "meta": {"event": _told(event)}}
    else:
        changes["outcome"] = apply(delivery, event)[:200]
    InboundEvent.objects.filter(pk=stored.pk).update(**changes)
    return True


def _told(event: StatusEvent) -> dict[str, str]:
    """What is needed to apply it later, should its message become known."""
    return {
        "message_id": event.message_id[:300],
        "status": str(event.status or ""),
        "reason": str(event.reason),
        "text": event.text[:300],
    }


def lock_message(integration_id: UUID, message_id: str) -> None:
    """Until the transaction ends, one of the two works: who records that the provider has taken a
    message, or who is told by it what became of that; so that neither misses the other."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))",
            [f"{integration_id}:{message_id[:300]}"],
        )


def apply_early(delivery: Delivery, since: datetime) -> None:
    """Apply what came before the answer of the provider itself was recorded. Call it with the
    message locked, and after that record."""
    early = InboundEvent.objects.filter(
        created_at__gte=since,
        integration=delivery.integration_id,
        delivery=None,
        meta__event__message_id=delivery.provider_message_id,
    ).order_by("created_at")
    for stored in early[:20]:
        told = stored.meta["event"]
        event = StatusEvent(
            external_id=stored.external_id,
            message_id=told["message_id"],
            status=DeliveryStatus(told["status"]) if told["status"] else None,
            reason=Reason(told["reason"]),
            text=told["text"],
        )
        stored.delivery, stored.outcome = delivery, apply(delivery, event)[:200]
        stored.save(update_fields=["delivery", "outcome"])


def _bounded(external_id: str) -> str:
    if 0 < len(external_id) <= 200:
        return external_id
    return hashlib.sha256(external_id.encode()).hexdigest()


def _kept(body: Mapping[str, Any]) -> Any:
    """Without what looks like a secret, and never the whole of a huge one."""
    found = shown(dict(body))
    return found if len(str(found)) <= 20_000 else {"cut": True}


def _of(integration: Integration, message_id: str) -> Delivery | None:
    if not message_id:
        return None
    return (
        Delivery.objects.select_for_update(of=("self",))
        .filter(integration=integration, provider_message_id=message_id[:300])
        .order_by("-created_at")
        .first()
    )


def apply(delivery: Delivery, event: StatusEvent) -> str:
    """Move a locked delivery forward and mark its address; what was done, in words."""
    block = _BLOCKS.get(Reason(event.reason))
    if block is not None:
        block_address(delivery, block)
    new = event.status
    if new is None or new not in _ORDER:
        tell_of(delivery, event.reason, event.text)
        return "Noted."
    if _ORDER[new] <= _ORDER.get(DeliveryStatus(delivery.status), 9):
        return "Nothing new."
    now = timezone.now()
    changes: dict[str, Any] = {
        "status": new,
        "reason": event.reason,
        "error": event.text[:300] if new != DeliveryStatus.DELIVERED else "",
        "updated_at": now,
    }
    if delivery.accepted_at is None and new == DeliveryStatus.DELIVERED:
        changes["accepted_at"] = now
    Delivery.objects.filter(pk=delivery.pk).update(**changes)
    for name, value in changes.items():
        setattr(delivery, name, value)
    tell_of(delivery, event.reason, event.text)
    return f"It is {DeliveryStatus(new).label.lower()} now."


def forget_events(limit: int = 5_000) -> int:
    """Remove what providers told more than 30 days ago; how many of them."""
    old = InboundEvent.objects.filter(created_at__lt=timezone.now() - KEPT)
    chosen = list(old.order_by("created_at").values_list("pk", flat=True)[:limit])
    removed, _ = InboundEvent.objects.filter(pk__in=chosen).delete()
    return removed
