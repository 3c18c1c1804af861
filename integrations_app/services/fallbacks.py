"""The way a delivery goes, and the next one when that is shut."""

from integrations_app.models import ChannelRoute, Delivery, Endpoint, Integration
from integrations_app.providers.base import Target
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.addressing import (
    BLOCKED,
    address_of,
    shown_address,
    target_of,
)
from integrations_app.types import EndpointType
from one_project.common.errors import AppError
from one_project.common.sealing import SealBroken


def target_of_delivery(delivery: Delivery) -> Target | None:
    """Where it goes, opened for one sending; None when its endpoint is gone. Raises SealBroken."""
    if delivery.endpoint is not None:
        return target_of(delivery.endpoint)
    kept = delivery.meta.get("target")
    if not kept or not delivery.address:
        return None
    kind, name = EndpointType(kept["type"]), str(kept.get("name", ""))
    return Target(type=kind, address=delivery.address, name=name)


def can_carry(delivery: Delivery, integration: Integration | None) -> bool:
    """Whether it is there, active, and of the delivery's organisation."""
    return (
        integration is not None
        and integration.is_usable
        and integration.organisation_id == delivery.organisation_id
    )


def next_way(delivery: Delivery) -> Integration | None:
    """Turn the delivery to the next of its fallbacks that reaches the same person or place.

    Changes the row given (integration, endpoint, address, fallbacks) and saves nothing.
    """
    left = [str(one) for one in delivery.fallbacks]
    while left:
        found = Integration.objects.filter(pk=left.pop(0)).first()
        if found is not None and can_carry(delivery, found) and _turn(delivery, found):
            delivery.integration = found
            delivery.fallbacks = left
            delivery.meta["tries"] = 0
            return found
    delivery.fallbacks = []
    return None


def _turn(delivery: Delivery, integration: Integration) -> bool:
    """Give the delivery an address that the integration sends to; False: there is none."""
    try:
        provider = provider_of(integration.provider)
    except AppError:
        return False
    place = _place(delivery, integration)
    if place is not None:
        return _go_to(delivery, place)
    if _fits(delivery, integration, provider.endpoint_types):
        return True
    if delivery.user is None:
        return False
    try:
        endpoint, target = address_of(delivery.user, delivery.organisation_id, provider)
    except SealBroken:
        return False
    if target is None:
        return False
    if endpoint is not None:
        return _go_to(delivery, endpoint)
    delivery.endpoint, delivery.address = None, target.address
    delivery.meta["target"] = {"type": str(target.type), "name": target.name[:120]}
    delivery.to = shown_address(target.type, target.address, target.name)
    return True


def _place(delivery: Delivery, integration: Integration) -> Endpoint | None:
    """The fixed place of the channel's rule for this integration."""
    if delivery.channel_id is None:
        return None
    rules = ChannelRoute.objects.filter(channel=delivery.channel_id, integration=integration)
    rule = rules.select_related("endpoint").first()
    return rule.endpoint if rule else None


def _go_to(delivery: Delivery, endpoint: Endpoint) -> bool:
    if endpoint.organisation_id != delivery.organisation_id or endpoint.status in BLOCKED:
        return False
    delivery.endpoint, delivery.address = endpoint, ""
    delivery.to = shown_address(endpoint.type, endpoint.address, endpoint.label)
    return True


def _fits(delivery: Delivery, integration: Integration, types: object) -> bool:
    endpoint = delivery.endpoint
    if endpoint is None:
        kind = (delivery.meta.get("target") or {}).get("type", "")
    elif endpoint.integration_id in (None, integration.pk):
        kind = endpoint.type
    else:
        return False
    return isinstance(types, list | tuple) and kind in types
