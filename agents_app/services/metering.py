"""Proof that every model call is metered: rows of the ledger beside raw usage."""

from datetime import date, datetime

from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Exists, OuterRef

from agents_app.models import AICall
from billing_app.models import UsageRecord
from billing_app.runtime.invariants import register_source
from billing_app.types.periods import bounds

METERING = ("billing_app", "0002_billing")  # the migration that began it


def missing_records(period: date) -> int:
    """How many calls of organisations in that month have no usage record.

    Calls from before there was raw usage are not asked for.
    """
    start, end = bounds(period)
    began = _began()
    if began is None or began >= end:
        return 0
    metered = UsageRecord.objects.filter(pk=OuterRef("pk"))
    calls = AICall.objects.filter(
        organisation__isnull=False, created_at__gte=max(start, began), created_at__lt=end
    )
    return calls.filter(~Exists(metered)).count()


def _began() -> datetime | None:
    app, name = METERING
    applied = MigrationRecorder.Migration.objects.filter(app=app, name=name)
    return applied.values_list("applied", flat=True).first()


register_source("model calls", missing_records)
