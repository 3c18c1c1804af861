"""Handing a message over: one row, and the work that carries it, in the caller's transaction."""

import hashlib
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from integrations_app.access import editable_integrations
from integrations_app.errors import KeyReused
from integrations_app.models import Channel, Delivery, Endpoint, Integration, Notification
from integrations_app.providers.base import Content, Target
from integrations_app.runtime.addressing import shown_address
from integrations_app.services.blocking import is_blocked
from integrations_app.services.delivering import deliver, pool_of
from integrations_app.services.quotas import refusal
from integrations_app.services.settling import on_settled, settle
from integrations_app.services.way import wake
from integrations_app.types import ChannelType, DeliveryStatus, EndpointType, Reason
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, Conflict, InvalidInput
from one_project.workflows.services.work import enqueue

__all__ = ["cancel", "on_settled", "queue_delivery", "send_again"]

MAX_CONTENT: Final = 256_000  # bytes of JSON
AGAIN_SOURCE: Final = "again"

Fallback = Integration | UUID | str


def queue_delivery(
    organisation_id: UUID,
    *,
    content: Content,
    channel_type: str,
    integration_id: UUID | None = None,
    fallbacks: Iterable[Fallback] = (),
    channel: Channel | None = None,
    endpoint: Endpoint | None = None,
    target: Target | None = None,
    user: User | None = None,
    by: User | None = None,
    source: str,
    source_id: UUID | None = None,
    step: str = "",
    notification: Notification | None = None,
    idempotency_key: str | None = None,
) -> Delivery:
    """Have ``content`` sent through the integration to the endpoint (or the bare target).

    user: whom it is for; by: who sends it, also by an agent. The same ``idempotency_key`` in an
    organisation is the same message: the first row comes back. What cannot be sent at all (no
    integration, no address, a blocked one, over a limit) comes back settled, with its reason. The
    caller has chosen the integration (``runtime.routing``) and may use it. Raises InvalidInput
    (too large, a target with a secret, which needs an endpoint) and KeyReused.
    """
    delivery = Delivery(
        organisation_id=organisation_id,
        content=content.model_dump(mode="json"),
        channel_type=ChannelType(channel_type),
        integration_id=integration_id,
        fallbacks=[str(one.pk if isinstance(one, Integration) else one) for one in fallbacks],
        channel=channel,
        endpoint=endpoint,
        user=user,
        by=by,
        source=source,
        source_id=source_id,
        step=step[:64],
        notification=notification,
        idempotency_key=idempotency_key or None,
    )
    _address(delivery, endpoint, target)
    # As it was chosen: the row changes when it goes another way.
    delivery.meta["route"] = [str(one) for one in (integration_id, *delivery.fallbacks) if one]
    delivery.meta["fingerprint"] = _fingerprint(delivery)
    with transaction.atomic():
        return _first(delivery) or _stored(delivery)


def _address(delivery: Delivery, endpoint: Endpoint | None, target: Target | None) -> None:
    """Say where it goes; what is secret stays in the endpoint."""
    if endpoint is not None:
        if endpoint.organisation_id != delivery.organisation_id:
            raise InvalidInput("This address belongs to somebody else.")
        kind, address, name = endpoint.type, endpoint.address, endpoint.label
    elif target is not None:
        if target.secret:
            raise InvalidInput("An address that is secret is used through its endpoint.")
        kind, address, name = str(target.type), target.address.strip(), target.name
        if not address or len(address) > 320:
            raise InvalidInput("An address has 1 to 320 characters.")
        delivery.address = address
        delivery.meta["target"] = {"type": kind, "name": name[:120]}
    else:
        return
    delivery.to = shown_address(kind, address, name)


def _fingerprint(delivery: Delivery) -> str:
    """Of what is said to whom: not of the way, which may be another one the next time."""
    said = [delivery.content, delivery.channel_type, delivery.address, str(delivery.endpoint_id)]
    packed = orjson.dumps([*said, str(delivery.user_id)], option=orjson.OPT_SORT_KEYS)
    if len(packed) > MAX_CONTENT:
        raise InvalidInput(f"A message has at most {MAX_CONTENT:,} bytes.")
    return hashlib.sha256(packed).hexdigest()


def _first(delivery: Delivery) -> Delivery | None:
    """The row of its key, if there is one. Raises KeyReused when it says something else."""
    if delivery.idempotency_key is None:
        return None
    if len(delivery.idempotency_key) > 200:
        raise InvalidInput("An idempotency key has at most 200 characters.")
    found = Delivery.objects.filter(
        organisation_id=delivery.organisation_id, idempotency_key=delivery.idempotency_key
    ).first()
    if found and found.meta.get("fingerprint") != delivery.meta["fingerprint"]:
        raise KeyReused
    return found


def _stored(delivery: Delivery) -> Delivery:
    try:
        # The savepoint is for keys: another transaction may be about to commit the same one.
        with transaction.atomic(savepoint=delivery.idempotency_key is not None):
            _store(delivery)
    except IntegrityError:
        if first := _first(delivery):
            return first
        raise
    return delivery


def _store(delivery: Delivery) -> None:
    reason, words = _obstacle(delivery)
    if reason is None:
        work = enqueue(
            deliver.options(pool=pool_of(delivery.organisation_id)),
            delivery.pk,
            organisation_id=delivery.organisation_id,
        )
        delivery.meta["work"] = str(work.pk)
        delivery.next_attempt_at = timezone.now()
    delivery.save(force_insert=True)
    if reason is None:
        wake(delivery)
    else:
        settle(delivery, _ENDS[reason], reason, error=words)


_ENDS: Final = {
    Reason.NO_INTEGRATION: DeliveryStatus.FAILED,
    Reason.NO_ADDRESS: DeliveryStatus.FAILED,
    Reason.ADDRESS_BLOCKED: DeliveryStatus.SKIPPED,
    Reason.QUOTA: DeliveryStatus.SKIPPED,
}


def _obstacle(delivery: Delivery) -> tuple[Reason | None, str]:
    """Why it cannot be sent at all, and in words where the reason's own do not do."""
    if delivery.integration_id is None and not delivery.fallbacks:
        return Reason.NO_INTEGRATION, ""
    if delivery.endpoint is None and not delivery.address:
        return Reason.NO_ADDRESS, ""
    if is_blocked(delivery):
        return Reason.ADDRESS_BLOCKED, ""
    refused = refusal(
        delivery.organisation_id,
        delivery.channel_type,
        by_id=delivery.by_id,
        address=delivery.address or str(delivery.endpoint_id),
    )
    return (Reason.QUOTA, refused) if refused else (None, "")


def cancel(delivery: Delivery, *, by: User | None) -> None:
    """Keep what waits from being sent. Raises Conflict once it is being sent or has ended."""
    with transaction.atomic():
        done = settle(
            delivery, DeliveryStatus.CANCELED, Reason.CANCELED, asked=DeliveryStatus.QUEUED
        )
        if not done:
            raise Conflict("It is being sent already, or has ended.")
        _log(delivery, "delivery_canceled", by)


AGAIN: Final = (DeliveryStatus.UNKNOWN, DeliveryStatus.FAILED, DeliveryStatus.BOUNCED)


def send_again(delivery: Delivery, *, by: User) -> Delivery:
    """Have a person's decision send it once more: a new delivery, and the same one however often
    they ask; only by ways that they may use or change themselves. Raises Conflict unless its
    outcome is unknown, or it failed or bounced, and AccessDenied where no way is left."""
    if delivery.status not in AGAIN:
        raise Conflict("Only what failed, bounced or is unknown can be sent again.")
    kept = delivery.meta.get("target")
    target = None
    if delivery.endpoint is None and kept and delivery.address:
        target = Target(
            type=EndpointType(kept["type"]), address=delivery.address, name=kept.get("name", "")
        )
    ways = _ways_again(delivery, by)
    if not ways and delivery.integration_id is not None:
        raise AccessDenied("It went through what only others may use: ask them to send it again.")
    with transaction.atomic():
        made = queue_delivery(
            delivery.organisation_id,
            content=Content.model_validate(delivery.content),
            channel_type=delivery.channel_type,
            integration_id=ways[0] if ways else None,
            fallbacks=ways[1:],
            channel=delivery.channel,
            endpoint=delivery.endpoint,
            target=target,
            user=delivery.user,
            by=by,
            source=AGAIN_SOURCE,
            source_id=delivery.pk,
            step=delivery.step,
            notification=delivery.notification,
            idempotency_key=f"again:{delivery.pk}",
        )
        if made.reason == Reason.QUOTA:
            # Not kept: they may ask again later.
            raise Conflict(made.error)
        _log(delivery, "delivery_sent_again", by, again=str(made.pk))
    return made


def _ways_again(delivery: Delivery, by: User) -> list[UUID]:
    """What is left of its integrations, the one that its address is for first: those that the
    person may use or change."""
    wanted = [str(delivery.integration_id), *delivery.meta.get("route", [])]
    rows = Integration.objects.filter(
        Q(pk__in=Integration.objects.usable_by(by, delivery.organisation).values("pk"))
        | Q(pk__in=editable_integrations(by, delivery.organisation).values("pk"))
    )
    there = {str(one): one for one in rows.in_bulk([one for one in wanted if one != "None"])}
    return [there[one] for one in dict.fromkeys(wanted) if one in there]


def _log(delivery: Delivery, kind: str, by: User | None, **data: str) -> None:
    record_event(
        delivery.organisation, kind, actor=by, target=f"delivery:{delivery.pk}", data=dict(data)
    )
