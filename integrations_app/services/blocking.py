"""Addresses that nothing is sent to any more."""

from django.db.models import Q

from integrations_app.models import Delivery, Endpoint
from integrations_app.runtime.addressing import BLOCKED
from integrations_app.types import EndpointStatus


def block_address(delivery: Delivery, status: EndpointStatus) -> None:
    """Mark where the delivery went: bounced, or unsubscribed (which stays, whatever bounces).

    A bare address gets an endpoint of its own for that, the person's or the organisation's. What
    comes through somebody's own integration, whose server may be theirs, says nothing of others.
    """
    way = delivery.integration
    if way is not None and way.user_id not in (None, delivery.user_id):
        return
    if delivery.endpoint_id is not None:
        rows = Endpoint.objects.filter(pk=delivery.endpoint_id)
        rows.exclude(status=EndpointStatus.UNSUBSCRIBED).update(status=status)
        return
    kept = delivery.meta.get("target") or {}
    if not kept or not delivery.address:
        return
    endpoint, is_new = Endpoint.objects.get_or_create(
        organisation_id=delivery.organisation_id,
        user=delivery.user,
        type=kept["type"],
        address=delivery.address.lower(),
        fingerprint="",
        integration=None,
        defaults={"status": status},
    )
    if not is_new and endpoint.status not in (status, EndpointStatus.UNSUBSCRIBED):
        Endpoint.objects.filter(pk=endpoint.pk).update(status=status)


def is_blocked(delivery: Delivery) -> bool:
    """Whether where it goes has refused earlier messages, or does not want any more."""
    if delivery.endpoint is not None:
        return delivery.endpoint.status in BLOCKED
    if not delivery.address:
        return False
    return Endpoint.objects.filter(
        Q(user=None) | Q(user=delivery.user_id),
        organisation_id=delivery.organisation_id,
        type=delivery.meta["target"]["type"],
        address=delivery.address.lower(),
        status__in=BLOCKED,
    ).exists()
