"""Invoices of months: each organisation's in one transaction, once, whatever runs twice or stops.

Usage is summed for many organisations at a time, then each is billed (``invoice_months``). What is
on no invoice is the difference of usage and lines (``runtime.billable``), so nothing is billed
twice and nothing is lost. Use of a done month that comes late is on the next invoice.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone

from billing_app import conf
from billing_app.errors import PeriodUnfinished, PriceMissing
from billing_app.models import BilledPeriod, BilledStatus, BillingAccount, Invoice
from billing_app.runtime.billable import (
    Billable,
    busy_in,
    database_now,
    due_months,
    late_months,
    used_in,
    waiting_for_prices,
)
from billing_app.services.invoice_months import bill_month, looked_at
from billing_app.services.usage import fill_missing_prices
from billing_app.types.periods import due_period, is_complete
from one_project.common.errors import NotFound

logger = logging.getLogger("one.billing")

BATCH: Final = 1_000
# Organisations whose month is summed in one pass, and how many sums of them are held at most.
SUMMED_AT_ONCE: Final = 250
MOST_SUMS: Final = 100_000


@dataclass(frozen=True, slots=True)
class BilledRun:
    """What a run has done. ``months``: of organisations, that are done now and were not before;
    ``invoices`` made; ``blocked``: what keeps which organisation from being billed; ``failed``:
    those that the next run tries again."""

    months: int = 0
    invoices: int = 0
    blocked: tuple[tuple[UUID, date, str], ...] = ()
    failed: tuple[tuple[UUID, date], ...] = ()

    def __add__(self, other: "BilledRun") -> "BilledRun":
        return BilledRun(
            self.months + other.months,
            self.invoices + other.invoices,
            self.blocked + other.blocked,
            self.failed + other.failed,
        )


def bill_due(now: datetime | None = None) -> BilledRun:
    """Bill every month that is due and was not billed, oldest first. Doing it again does nothing.

    What is late for months billed before this run is on the invoices of this run's months.
    """
    now = now or timezone.now()
    seen_at = _seen_at(now)
    months: dict[date, list[UUID]] = {}
    for period, organisation_id in due_months(due_period(now)):
        months.setdefault(period, []).append(organisation_id)
    _fill_prices({each for found in months.values() for each in found}, due_period(now))
    run = BilledRun()
    for period, organisation_ids in months.items():
        run += _bill_month(period, organisation_ids, now, seen_at, billed_before=seen_at)
    return run


def bill_period(
    period: date,
    organisation_ids: Collection[UUID] | None = None,
    now: datetime | None = None,
) -> BilledRun:
    """Bill one month of all organisations, or of some. Raises PeriodUnfinished."""
    now = now or timezone.now()
    period = _complete(period, now)
    due = {organisation_id for _, organisation_id in due_months(period, period)}
    if organisation_ids is not None:
        due &= set(organisation_ids)
    _fill_prices(due, period)
    return _bill_month(period, sorted(due), now, _seen_at(now))


def bill_organisation(
    organisation_id: UUID, period: date, *, now: datetime | None = None
) -> list[Invoice]:
    """The organisation's invoices of a month, made now or before.

    Raises PeriodUnfinished, NotFound, and PriceMissing, after it has noted that the month waits.
    """
    now = now or timezone.now()
    period = _complete(period, now)
    seen_at = _seen_at(now)
    _fill_prices([organisation_id], period)
    late = late_months([organisation_id], before=period)
    bill_month(organisation_id, period, now, seen_at, late=late.get(organisation_id, []))
    return list(
        Invoice.objects.standing()
        .filter(organisation_id=organisation_id, period=period, kind="invoice")
        .order_by("year", "number", "pk")
    )


def _complete(period: date, now: datetime) -> date:
    period = period.replace(day=1)
    if not is_complete(period, now):
        raise PeriodUnfinished(
            f"{period:%B %Y} has not ended yet (in UTC). Only months that have ended are billed."
        )
    return period


def _seen_at(now: datetime) -> datetime:
    """What is recorded from here on may be missing in the sums. By the database's clock, or an
    earlier one: looking again at what is billed costs little, not looking loses it."""
    return min(now, database_now())


def _fill_prices(organisation_ids: Collection[UUID], period: date) -> None:
    """Price what would block these organisations and can be priced by now; holds no account."""
    for organisation_id in waiting_for_prices(organisation_ids, period):
        try:
            fill_missing_prices(organisation_id)
        except DatabaseError:
            # It stays blocked; the next run tries again.
            logger.exception("Prices could not be filled in: %s", organisation_id)


def _bill_month(
    period: date,
    organisation_ids: Collection[UUID],
    now: datetime,
    seen_at: datetime,
    *,
    billed_before: datetime | None = None,
) -> BilledRun:
    """One organisation after the other; what goes wrong with one is not another's concern."""
    late = late_months(organisation_ids, before=period, billed_before=billed_before)
    waiting = BilledPeriod.objects.filter(
        organisation_id__in=organisation_ids, period=period, status=BilledStatus.BLOCKED
    )
    busy = busy_in(organisation_ids, period) | late.keys()
    busy |= set(waiting.values_list("organisation_id", flat=True))
    idle = [each for each in organisation_ids if each not in busy]
    run = BilledRun(months=_pass_over(period, idle, seen_at))
    for organisation_id, used in _used_by(period, sorted(busy)):
        months = late.get(organisation_id, [])
        try:
            made = bill_month(organisation_id, period, now, seen_at, late=months, used=used)
        except PriceMissing as error:
            run += BilledRun(blocked=((organisation_id, period, error.user_message),))
        except NotFound:
            continue  # deleted in the meantime
        except Exception:
            # Somebody else's lock, a lost connection: nothing was done, the next run does it.
            logger.exception("An organisation could not be billed: %s", organisation_id)
            run += BilledRun(failed=((organisation_id, period),))
        else:
            if made is not None:
                run += BilledRun(months=1, invoices=len(made))
    return run


def _used_by(
    period: date, organisation_ids: Sequence[UUID]
) -> Iterator[tuple[UUID, Collection[Billable] | None]]:
    """What each has used in the month, many summed at a time, since one's calls lie among all
    others'. None: to be summed when its account is held. ``organisation_ids`` in order."""
    left = organisation_ids
    while left:
        used = _summed(period, left[:SUMMED_AT_ONCE])
        # The first one's alone may be too much.
        batch = left[: max(len(used), 1)]
        for organisation_id in batch:
            yield organisation_id, used.get(organisation_id)
        left = left[len(batch) :]


def _summed(
    period: date, organisation_ids: Sequence[UUID]
) -> Mapping[UUID, Collection[Billable] | None]:
    """Of the first of these, or all, what they have used; None for those with unpriced calls. A
    price may come before the account is held, and nothing would tell that the sums lack them."""
    try:
        # Before the sums: what lacks a price in them and was not seen here has come since, and
        # is looked for as late.
        waiting = waiting_for_prices(organisation_ids, period)
        used = used_in(period, organisation_ids, most=MOST_SUMS)
    except DatabaseError:
        logger.exception("The sums of many could not be made: %s", period)
        return dict.fromkeys(organisation_ids)
    return {**used, **dict.fromkeys(used.keys() & set(waiting))}


def _pass_over(period: date, organisation_ids: Collection[UUID], seen_at: datetime) -> int:
    """Note the month of those that have used nothing as done, without invoices."""
    accounts = BillingAccount.objects.filter(organisation__in=organisation_ids)
    per = dict(accounts.values_list("organisation_id", "invoice_per"))
    rows = [
        BilledPeriod(
            organisation_id=organisation_id,
            period=period,
            status=BilledStatus.DONE,
            invoice_per=per.get(organisation_id) or conf.invoice_per(),
            cutoff=seen_at,
        )
        for organisation_id in organisation_ids
    ]
    with transaction.atomic():
        BilledPeriod.objects.bulk_create(rows, BATCH, ignore_conflicts=True)
        looked_at(organisation_ids, period, seen_at)
    return len(rows)
