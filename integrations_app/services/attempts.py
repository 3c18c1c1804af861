"""The begin of an attempt at a delivery.

queued → sending, with a row of the attempt, before anything is sent. Whoever finds ``sending`` with
an attempt that nobody works on any more knows that its process died, and not whether it had sent.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from integrations_app.errors import BadTarget, OutcomeUnknown, Permanent
from integrations_app.models import Connection, Delivery, DeliveryAttempt
from integrations_app.providers.base import Content, Provider
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.accounts import account_of
from integrations_app.services.blocking import is_blocked
from integrations_app.services.fallbacks import can_carry, next_way, target_of_delivery
from integrations_app.services.outcomes import Begun, after_unknown, close, stay_unknown
from integrations_app.services.settling import settle
from integrations_app.services.way import tell_of
from integrations_app.types import AttemptStatus, ConnectionStatus, DeliveryStatus, Reason
from one_project.accounts.models import Membership
from one_project.common.errors import AppError
from one_project.common.sealing import SealBroken
from one_project.workflows.models import WorkItem
from one_project.workflows.types import Status

# After this a delivery that hangs is looked at by the sweep.
HUNG_AFTER: Final = timedelta(seconds=120)
ELSEWHERE: Final = 5.0  # seconds until a delivery that another piece of work carries is looked at


@transaction.atomic
def begin(delivery_id: UUID, carrier: str) -> Begun | float | None:
    """Write the next attempt down. Seconds: not before then. None: there is nothing to do.

    carrier: the piece of work that carries it; by it a lost attempt is told from one that runs.
    """
    delivery = (
        Delivery.objects.select_related("integration", "endpoint", "endpoint__connection", "user")
        .filter(pk=delivery_id)
        .first()
    )
    if delivery is None or delivery.settled_at is not None:
        return None
    if delivery.status == DeliveryStatus.SENDING:
        wait = _found_sending(delivery, carrier)
        if wait is None or wait > 0:
            return wait
    wait = _until_due(delivery)
    if wait > 0:
        return wait
    if not _find_way(delivery):
        return None
    return _claimed(delivery, carrier)


def _until_due(delivery: Delivery) -> float:
    due = delivery.next_attempt_at
    return max(0.0, (due - timezone.now()).total_seconds()) if due else 0.0


def _found_sending(delivery: Delivery, carrier: str) -> float | None:
    """Somebody began before: they still work (seconds), or are lost. 0.0: it may be repeated."""
    attempt = delivery.attempts.filter(status=AttemptStatus.STARTED).order_by("-number").first()
    if attempt is not None:
        if _is_carried_elsewhere(str(attempt.meta.get("work", "")), carrier):
            return ELSEWHERE
        lost = OutcomeUnknown("The process that sent it was lost.", code="worker_lost")
        if not close(attempt, AttemptStatus.UNKNOWN, lost):
            return ELSEWHERE
    wait = after_unknown(delivery, _provider(delivery))
    if wait is not None:
        delivery.next_attempt_at = None
        return 0.0
    return None


def _is_carried_elsewhere(owner: str, carrier: str) -> bool:
    """By another piece of work that runs; of the same one, the engine has made sure it does not."""
    if not owner or owner == carrier:
        return False
    return WorkItem.objects.filter(pk=owner, status=Status.RUNNING).exists()


def _provider(delivery: Delivery) -> Provider | None:
    try:
        return provider_of(delivery.integration.provider) if delivery.integration else None
    except AppError:
        return None


def _find_way(delivery: Delivery) -> bool:
    """Past integrations that were paused meanwhile, and addresses that are blocked by now."""
    if is_blocked(delivery):
        queued = DeliveryStatus.QUEUED
        settle(delivery, DeliveryStatus.SKIPPED, Reason.ADDRESS_BLOCKED, asked=queued)
        return False
    if can_carry(delivery, delivery.integration):
        return True
    if delivery.meta.get("unsure"):
        stay_unknown(delivery, DeliveryStatus.QUEUED)
        return False
    first = delivery.integration
    if next_way(delivery) is not None:
        if first is not None:
            tell_of(delivery, Reason.FAILED_OVER, f"{first.name} is not active."[:300])
        return True
    settle(delivery, DeliveryStatus.FAILED, Reason.NO_INTEGRATION, asked=DeliveryStatus.QUEUED)
    return False


def _claimed(delivery: Delivery, carrier: str) -> Begun | float:
    """queued → sending by compare-and-set, with the row of the attempt; then all that is needed."""
    number = delivery.attempts_made + 1
    meta = {**delivery.meta, "tries": int(delivery.meta.get("tries", 0)) + 1}
    claimed = Delivery.objects.filter(
        pk=delivery.pk, status=DeliveryStatus.QUEUED, attempts_made=delivery.attempts_made
    ).update(
        status=DeliveryStatus.SENDING,
        attempts_made=number,
        next_attempt_at=timezone.now() + HUNG_AFTER,
        integration=delivery.integration,
        endpoint=delivery.endpoint,
        address=delivery.address,
        to=delivery.to,
        fallbacks=delivery.fallbacks,
        meta=meta,
        updated_at=timezone.now(),
    )
    if not claimed:
        return ELSEWHERE
    delivery.status, delivery.attempts_made = DeliveryStatus.SENDING, number
    delivery.meta = meta
    attempt = DeliveryAttempt.objects.create(
        organisation_id=delivery.organisation_id,
        delivery=delivery,
        integration=delivery.integration,
        number=number,
        meta={"work": carrier},
    )
    return _opened(delivery, attempt)


def _opened(delivery: Delivery, attempt: DeliveryAttempt) -> Begun:
    """All that the sending needs, so that no connection is held while it lasts."""
    assert delivery.integration is not None
    try:
        provider = provider_of(delivery.integration.provider)
        target = target_of_delivery(delivery)
        if target is None:
            removed = BadTarget("Its address was removed.", code="no_address")
            return Begun(delivery=delivery, attempt=attempt, problem=removed)
        return Begun(
            delivery=delivery,
            attempt=attempt,
            provider=provider,
            account=account_of(delivery.integration),
            target=target,
            content=Content.model_validate(delivery.content),
            connection=_connection(delivery) if provider.uses_connections else None,
        )
    except (AppError, SealBroken) as error:
        code = getattr(error, "code", "seal_broken")
        problem = Permanent("The integration has to be set up again.", code=code)
        return Begun(delivery=delivery, attempt=attempt, problem=problem)


def _connection(delivery: Delivery) -> Connection | None:
    """The endpoint's; else the sender's own; else the one that everybody shares."""
    if delivery.endpoint is not None and delivery.endpoint.connection is not None:
        return delivery.endpoint.connection
    found = Connection.objects.filter(
        integration=delivery.integration,
        organisation_id=delivery.organisation_id,
        team=None,
        status=ConnectionStatus.ACTIVE,
    )
    # Who has left sends nothing by their account any more, also of what waited.
    here = Membership.objects.active().filter(organisation=delivery.organisation_id)
    mine = found.filter(user=delivery.by_id, user__in=here.values("user"))
    own = mine.first() if delivery.by_id else None
    return own or found.filter(user=None).first()
