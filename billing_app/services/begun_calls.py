"""Calls that are under way: noted before the provider is asked, so that one whose process is killed
is counted all the same.

What is recorded is noted no more, in the same transaction. What nobody has heard of for LOST_AFTER
is recorded as it was seen last: the prompt and what had come of the answer, estimated and aborted.
Should its process only have been slow, and record it later, it is the same attempt and counts once.
"""

import logging
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from billing_app.conf import reservation_minutes
from billing_app.models import BegunCall, Reservation, ReservationStatus
from billing_app.runtime.invariants import register_source
from billing_app.services.usage import record_usage
from billing_app.types.periods import bounds
from billing_app.types.usage import Use
from one_project.common import metrics
from one_project.common.errors import AppError

logger = logging.getLogger("one.billing")

# Far longer than a model may be silent, or storing an answer takes: those that run are heard of.
LOST_AFTER: Final = timedelta(hours=1)
BATCH: Final = 500
# It need not outlive a crash of the database, and so is not waited for.
_BEGIN: Final = """
INSERT INTO billing_app_beguncall
    (id, created_at, meta, organisation_id, use, output_tokens, seen_at)
SELECT %(id)s, %(now)s, '{}', %(organisation)s, %(use)s, 0, %(now)s
WHERE set_config('synchronous_commit', 'off', true) = 'off'
"""


def begin(use: Use) -> None:
    """A provider is about to be asked. ``use.id`` is that of the attempt that will be recorded, its
    input an estimate. Outside of transactions."""
    values: dict[str, Any] = {
        "id": use.id,
        "now": timezone.now(),
        "organisation": use.organisation_id,
        "use": Jsonb(use.to_json()),
    }
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, values)


def go_on(call_id: UUID, reservation_id: UUID | None, output_tokens: int) -> None:
    """The call goes on, and so does what is held back for it; to be said every few minutes."""
    now = timezone.now()
    rows = BegunCall.objects.filter(pk=call_id)
    rows.update(seen_at=now, output_tokens=output_tokens)
    if reservation_id is not None:
        held = Reservation.objects.filter(pk=reservation_id, status=ReservationStatus.OPEN)
        held.update(expires_at=now + timedelta(minutes=reservation_minutes()))


def forget(call_id: UUID) -> None:
    """Nobody was asked after all."""
    BegunCall.objects.filter(pk=call_id).delete()


def not_recorded(period: date) -> int:
    """How many calls of the month should have been recorded for lost, and were not."""
    start, end = bounds(period)
    late = timezone.now() - 2 * LOST_AFTER
    return BegunCall.objects.filter(seen_at__gte=start, seen_at__lt=min(end, late)).count()


register_source("calls under way", not_recorded)


def record_lost() -> int:
    """Record calls whose process is gone; returns how many."""
    before = timezone.now() - LOST_AFTER
    found = BegunCall.objects.filter(seen_at__lt=before).order_by("seen_at")
    recorded = 0
    for call_id in list(found.values_list("pk", flat=True)[:BATCH]):
        try:
            recorded += _record(call_id)
        except (AppError, DatabaseError):
            # The others do not wait for it; the next run tries again.
            logger.exception("A lost call could not be recorded: %s", call_id)
    metrics.count("one_lost_calls_total", recorded)
    return recorded


@transaction.atomic
def _record(call_id: UUID) -> bool:
    """Unless its process, or another run, is recording it now."""
    rows = BegunCall.objects.filter(pk=call_id).select_for_update(skip_locked=True)
    row = rows.filter(seen_at__lt=timezone.now() - LOST_AFTER).first()
    if row is None:
        return False
    record_usage(
        [
            replace(
                Use.from_json(row.use),
                # It was alive then; the month and the price are those of that moment.
                occurred_at=row.seen_at,
                output_tokens=row.output_tokens,
                is_estimated=True,
                is_aborted=True,
            )
        ]
    )
    return True
