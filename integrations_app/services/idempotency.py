"""``Idempotency-Key``: a request that is sent again is answered as the first one was.

Kept for 24 hours. The same key with another request is refused (422); while the first is being
answered, too (409). Answers are repeated, also refusals; failures of ours (5xx) are not kept, so
that the request may be tried again.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from integrations_app.models import ApiKey, IdempotencyRecord
from one_project.common.errors import Conflict, InvalidInput

KEPT: Final = timedelta(hours=24)
BUSY: Final = timedelta(minutes=5)
MAX_KEY: Final = 200
_BATCH: Final = 1_000


class KeyInProgress(Conflict):
    code = "idempotency_in_progress"
    user_message = "The first request with this Idempotency-Key is still being answered."


class KeyOfAnother(InvalidInput):
    code = "idempotency_mismatch"
    user_message = "This Idempotency-Key was used for another request."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the first request was answered."""

    status: int
    body: Any


def begin(
    api_key: ApiKey, key: str, *, method: str, path: str, body: bytes
) -> IdempotencyRecord | Answered:
    """A record to settle, or the answer there is already.

    Committed at once: call it outside of a transaction. Raises InvalidInput, KeyInProgress,
    KeyOfAnother.
    """
    if not 0 < len(key) <= MAX_KEY or not key.isprintable():
        raise InvalidInput(f"An Idempotency-Key has 1 to {MAX_KEY} plain characters.")
    method_path = f"{method} {path}"[:200]
    body_hash = hashlib.sha256(body).hexdigest()
    now = timezone.now()
    for _ in range(3):
        try:
            with transaction.atomic():
                return IdempotencyRecord.objects.create(
                    organisation_id=api_key.organisation_id,
                    api_key=api_key,
                    key=key,
                    method_path=method_path,
                    body_hash=body_hash,
                    busy_until=now + BUSY,
                )
        except IntegrityError:
            found = IdempotencyRecord.objects.filter(api_key=api_key, key=key).first()
        if found is None:
            continue  # settled without an answer this moment
        if found.created_at < now - KEPT:
            IdempotencyRecord.objects.filter(pk=found.pk).delete()
            continue
        if (found.method_path, found.body_hash) != (method_path, body_hash):
            raise KeyOfAnother
        if found.status is not None:
            return Answered(status=found.status, body=found.answer.get("body"))
        if found.busy_until > now or not _taken_over(found, now + BUSY):
            raise KeyInProgress
        found.busy_until = now + BUSY
        return found
    raise KeyInProgress


def _taken_over(record: IdempotencyRecord, until: Any) -> bool:
    """Whoever answered it was lost: one of those who ask again goes on."""
    rows = IdempotencyRecord.objects.filter(pk=record.pk, status=None, busy_until=record.busy_until)
    return bool(rows.update(busy_until=until))


def settle(record: IdempotencyRecord, *, status: int, body: Any) -> None:
    """Keep the answer; in the transaction of what was done, both are true or none."""
    IdempotencyRecord.objects.filter(pk=record.pk).update(status=status, answer={"body": body})


def drop(record: IdempotencyRecord) -> None:
    """It failed on our side: the same key may be tried again."""
    IdempotencyRecord.objects.filter(pk=record.pk, status=None).delete()


def forget_old() -> int:
    """Delete what is older than 24 hours; how many."""
    old = IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - KEPT)
    forgotten = 0
    while page := list(old.values_list("pk", flat=True)[:_BATCH]):
        forgotten += IdempotencyRecord.objects.filter(pk__in=page).delete()[0]
    return forgotten
