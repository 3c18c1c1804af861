"""What is recorded of the end of an attempt: taken, to be tried again, another way, or the end.

Every write asks whether the attempt is still ours.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from integrations_app.errors import (
    AuthFailed,
    BadTarget,
    OutcomeUnknown,
    Permanent,
    SendError,
    Transient,
)
from integrations_app.models import Connection, Delivery, DeliveryAttempt
from integrations_app.providers.base import Accepted, Account, Content, Provider, Target
from integrations_app.providers.oauth.client import APP_REFUSED
from integrations_app.services.blocking import block_address
from integrations_app.services.fallbacks import next_way
from integrations_app.services.health import note_failure, note_ok
from integrations_app.services.settling import settle
from integrations_app.services.status_events import apply_early, lock_message
from integrations_app.services.way import tell_of
from integrations_app.types import AttemptStatus, DeliveryStatus, EndpointStatus, Reason

TRIES: Final = 5  # through one integration
BACKOFF: Final = 2.0
LONGEST: Final = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An attempt that is written down; ``problem``: why it cannot even be tried."""

    delivery: Delivery
    attempt: DeliveryAttempt
    provider: Provider | None = None
    account: Account | None = field(default=None, repr=False)
    target: Target | None = field(default=None, repr=False)
    content: Content | None = field(default=None, repr=False)
    connection: Connection | None = None
    problem: SendError | None = None


def backoff(tries: int) -> float:
    """Seconds after so many tries: 2, 6, 18, 54 … each times 0.75 to 1.25, an hour at most."""
    return min(LONGEST, BACKOFF * 3.0 ** max(0, tries - 1)) * (0.75 + random.random() / 2)  # noqa: S311


@transaction.atomic
def finish(begun: Begun, outcome: Accepted | SendError) -> float | None:
    """Record what came of it, if the attempt is still ours. Seconds until the next try (0: now,
    another way); None: it has ended."""
    delivery, attempt = begun.delivery, begun.attempt
    if isinstance(outcome, Accepted):
        _accepted(begun, outcome)
        return None
    wait = None
    if isinstance(outcome, Transient):
        asked = getattr(outcome, "retry_after", None) or 0.0
        wait = min(LONGEST, max(float(asked), backoff(int(delivery.meta.get("tries", 1)))))
    unknown = isinstance(outcome, OutcomeUnknown)
    status = AttemptStatus.UNKNOWN if unknown else AttemptStatus.FAILED
    if not close(attempt, status, outcome):
        return None
    _note(begun, outcome)
    if unknown:
        return after_unknown(delivery, begun.provider)
    if isinstance(outcome, BadTarget):
        block_address(delivery, EndpointStatus.BOUNCED)
        _fail(delivery, outcome)
        return None
    if wait is not None and int(delivery.meta.get("tries", 1)) < TRIES:
        attempt.retry_at = timezone.now() + timedelta(seconds=wait)
        attempt.save(update_fields=["retry_at"])
        return _put_off(delivery, _retry_reason(outcome), wait, outcome.user_message)
    return _another_way(delivery, outcome)


def _note(begun: Begun, outcome: SendError) -> None:
    """Whose fault it was: a message that is refused says nothing about the set-up, and an account
    that one person has linked says nothing about the others."""
    link, integration_id = begun.connection, begun.delivery.integration_id
    refused = isinstance(outcome, AuthFailed) and outcome.code not in APP_REFUSED
    if refused and link is not None and link.user_id is not None:
        Connection.objects.filter(pk=link.pk).update(last_error=outcome.user_message[:300])
    elif integration_id is not None and isinstance(outcome, AuthFailed | Transient):
        note_failure(integration_id, outcome)


def _accepted(begun: Begun, outcome: Accepted) -> None:
    delivery, attempt = begun.delivery, begun.attempt
    tells = begun.provider is not None and begun.provider.has_webhook and outcome.message_id
    if tells and delivery.integration_id is not None:
        lock_message(delivery.integration_id, outcome.message_id)
    is_ours = close(attempt, AttemptStatus.ACCEPTED, None, outcome.message_id)
    if not is_ours:
        _accepted_late(delivery, attempt, outcome)
        return
    delivered = outcome.status == DeliveryStatus.DELIVERED
    settle(
        delivery,
        DeliveryStatus.DELIVERED if delivered else DeliveryStatus.ACCEPTED,
        Reason.DELIVERED if delivered else Reason.SENT,
        message_id=outcome.message_id,
    )
    if tells:
        apply_early(delivery, attempt.created_at)
    if delivery.integration_id is not None:
        note_ok(delivery.integration_id)


def _accepted_late(delivery: Delivery, attempt: DeliveryAttempt, outcome: Accepted) -> None:
    """We were taken for lost, and were not: now it is known after all. Nobody is told twice."""
    now = timezone.now()
    known = {"provider_message_id": outcome.message_id[:300]}
    DeliveryAttempt.objects.filter(pk=attempt.pk, status=AttemptStatus.UNKNOWN).update(
        status=AttemptStatus.ACCEPTED, code="", error="", ended_at=now, **known
    )
    changed = Delivery.objects.filter(
        pk=delivery.pk, status=DeliveryStatus.UNKNOWN, attempts_made=attempt.number
    ).update(
        status=DeliveryStatus.ACCEPTED,
        reason=Reason.SENT,
        error="",
        accepted_at=now,
        updated_at=now,
        **known,
    )
    if changed:
        tell_of(delivery, Reason.SENT)
    if changed and outcome.message_id:
        apply_early(Delivery.objects.select_for_update().get(pk=delivery.pk), attempt.created_at)


def close(
    attempt: DeliveryAttempt, status: AttemptStatus, error: SendError | None, message_id: str = ""
) -> bool:
    """Its end, once; False: somebody else ended it."""
    return bool(
        DeliveryAttempt.objects.filter(pk=attempt.pk, status=AttemptStatus.STARTED).update(
            status=status,
            http_status=error.http_status if error else None,
            code=_word(error.code) if error else "",
            error=error.user_message[:300] if error else "",
            provider_message_id=message_id[:300],
            ended_at=timezone.now(),
        )
    )


def _word(code: str) -> str:
    """A provider's code as far as it is one word: anything longer may hold what it should not."""
    return code if len(code) <= 60 and code.replace("_", "").replace(".", "").isalnum() else "other"


def _retry_reason(error: SendError) -> Reason:
    return Reason.RATE_LIMITED if error.code == "rate_limited" else Reason.RETRY


def _put_off(delivery: Delivery, reason: Reason, wait: float, words: str = "") -> float | None:
    """sending → queued, for later. None: it is not being sent any more."""
    now = timezone.now()
    changed = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.SENDING).update(
        status=DeliveryStatus.QUEUED,
        reason=reason,
        error=words[:300],
        next_attempt_at=now + timedelta(seconds=wait),
        integration=delivery.integration,
        endpoint=delivery.endpoint,
        address=delivery.address,
        to=delivery.to,
        fallbacks=delivery.fallbacks,
        meta=delivery.meta,
        updated_at=now,
    )
    if not changed:
        return None
    delivery.status = DeliveryStatus.QUEUED
    tell_of(delivery, reason, words)
    return wait


_WHY: Final = (
    (AuthFailed, Reason.AUTH_FAILED),
    (Transient, Reason.PROVIDER_DOWN),
    (Permanent, Reason.PROVIDER_REFUSED),
)


def _another_way(delivery: Delivery, error: SendError) -> float | None:
    """Through the next integration at once, or it has failed."""
    if delivery.meta.get("unsure"):
        stay_unknown(delivery, DeliveryStatus.SENDING)
        return None
    if next_way(delivery) is not None:
        return _put_off(delivery, Reason.FAILED_OVER, 0.0, error.user_message)
    _fail(delivery, error)
    return None


def _fail(delivery: Delivery, error: SendError) -> None:
    why = next((one for kind, one in _WHY if isinstance(error, kind)), Reason.PROVIDER_REFUSED)
    if error.code == "connect_required":
        why = Reason.CONNECT_REQUIRED
    settle(delivery, DeliveryStatus.FAILED, why, error=error.user_message)


def after_unknown(delivery: Delivery, provider: Provider | None) -> float | None:
    """Settle it as unknown; or have it tried again where the provider takes our key."""
    tries = int(delivery.meta.get("tries", 0))
    if provider is not None and provider.idempotent and tries < TRIES:
        # Nobody but this provider knows our key: from now on it goes no other way.
        delivery.meta["unsure"] = True
        return _put_off(delivery, Reason.RETRY, backoff(tries))
    stay_unknown(delivery, DeliveryStatus.SENDING)
    return None


def stay_unknown(delivery: Delivery, asked: DeliveryStatus) -> None:
    """An attempt at it may have been sent, and no other has told: a person decides."""
    settle(
        delivery,
        DeliveryStatus.UNKNOWN,
        Reason.OUTCOME_UNKNOWN,
        error=OutcomeUnknown.user_message,
        asked=asked,
    )
