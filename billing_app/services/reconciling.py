"""The nightly check of the books: all invariants at one moment, kept as one row."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import Min
from django.utils import timezone

from billing_app.models import Reconciliation, UsageRecord
from billing_app.runtime.checking_budgets import wallets_are_right
from billing_app.runtime.checking_hashes import unchanged
from billing_app.runtime.checking_invoices import (
    billed_exactly,
    numbered_without_gaps,
    paid_in_full,
    rounded_once,
)
from billing_app.runtime.checking_usage import summed_up
from billing_app.runtime.invariants import Finding, recorded_everything
from billing_app.services.rolling_up import roll_up
from billing_app.types.periods import next_period, period_of, previous_period
from one_project.common.database import in_thread
from one_project.workflows.definitions import step
from one_project.workflows.models import WorkItem
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

logger = logging.getLogger("one.billing")

# Months whose calls are looked for in the records of apps above; all of them with ``full``.
RECENT_MONTHS: Final = 2
# Sorting and hashing of ten million rows in memory, by one statement at a time.
_MEMORY: Final = "256MB"


def reconcile(*, full: bool = False, now: datetime | None = None) -> Reconciliation:
    """Check everything and keep what was found; ``full`` looks for calls in all months.

    Reads at one moment without a lock, so that nothing waits for it. Sums by day are brought up to
    date first. A broken invariant is logged as an error.
    """
    now = now or timezone.now()
    began = time.monotonic()
    roll_up()
    with _one_moment():
        found = _findings(now, full=full)
    kept = Reconciliation.objects.create(
        is_ok=all(each.is_ok for each in found),
        findings=[each.to_json() for each in found],
        duration_ms=int((time.monotonic() - began) * 1000),
        meta={"full": full},
    )
    for each in kept.findings:
        if not each["is_ok"]:
            logger.error(
                "invariant %s of billing is broken: %s, difference %s: %s",
                each["number"], each["name"], each["difference"], each["detail"],
            )  # fmt: skip
    return kept


def request_reconciling(*, night: date | None = None) -> WorkItem:
    """Have a worker check: once for a ``night``, however often beat calls; without one, now."""
    key = f"{night:%Y-%m-%d}" if night else None
    return enqueue(check_books, key=key)


# It only reads, and a row more does no harm.
@step(name="billing_app.reconcile", retry=Retry(attempts=2, initial=60.0), timeout=1800.0)
async def check_books() -> str:
    """The check, as a work item; its result says how it went."""
    kept = await in_thread(reconcile)
    return str(kept)


def _findings(now: datetime, *, full: bool) -> list[Finding]:
    found = [
        *billed_exactly(now),
        rounded_once(),
        summed_up(),
        wallets_are_right(),
        recorded_everything(_periods(now, full=full)),
        unchanged(),
        numbered_without_gaps(),
        paid_in_full(),
    ]
    return sorted(found, key=lambda each: each.number)


def _periods(now: datetime, *, full: bool) -> Iterator[date]:
    """Months to look for calls in, oldest first."""
    period = period_of(now)
    first = period
    for _ in range(RECENT_MONTHS - 1):
        first = previous_period(first)
    if full:
        oldest = UsageRecord.objects.aggregate(at=Min("occurred_at"))["at"]
        first = min(first, period_of(oldest)) if oldest else first
    while first <= period:
        yield first
        first = next_period(first)


@contextmanager
def _one_moment() -> Iterator[None]:
    """All statements see the database as it is at the first; within a transaction of the caller,
    as that one sees it."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        with connection.cursor() as cursor:
            if is_outermost:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET LOCAL work_mem = '{_MEMORY}'")
            # Compiling costs more than these statements gain by it.
            cursor.execute("SET LOCAL jit = off")
        yield
