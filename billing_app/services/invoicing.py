"""Invoices of months: each organisation's in one transaction, once, whatever runs twice or stops.

Whoever bills an organisation holds its BillingAccount. What is on no invoice is the difference of
usage and lines (``runtime.billable``), so nothing is billed twice and nothing is lost; a
BilledPeriod says that a month is done. Use of a done month that comes late is on the next invoice.
"""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import Max
from django.utils import timezone

from billing_app import conf
from billing_app.errors import PeriodUnfinished, PriceMissing
from billing_app.models import BilledPeriod, BilledStatus, BillingAccount, Invoice
from billing_app.runtime.billable import (
    Billable,
    billable,
    busy_in,
    database_now,
    due_months,
    late_months,
    unpriced,
    waiting_for_prices,
)
from billing_app.services.invoice_drafts import finalise_all, make_drafts
from billing_app.services.invoice_events import note, tell_blocked
from billing_app.services.usage import fill_missing_prices
from billing_app.types.periods import due_period, is_complete
from one_project.accounts.models import Organisation
from one_project.common.errors import NotFound

logger = logging.getLogger("one.billing")

BATCH: Final = 1_000


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
    _bill(organisation_id, period, now, seen_at, late.get(organisation_id, []))
    return list(
        Invoice.objects.standing()
        .filter(organisation_id=organisation_id, period=period, kind="invoice")
        .order_by("year", "number", "pk")
    )


def hold_account(organisation_id: UUID) -> BillingAccount:
    """The organisation's account, made on first need and locked: one at a time changes what is
    billed. Inside a transaction. Raises NotFound."""
    accounts = BillingAccount.objects.filter(organisation_id=organisation_id)
    if not accounts.exists():
        if not Organisation.objects.filter(pk=organisation_id).exists():
            raise NotFound
        made = BillingAccount(organisation_id=organisation_id)
        BillingAccount.objects.bulk_create([made], ignore_conflicts=True)
    return accounts.select_related("organisation").select_for_update(of=("self",)).get()


def billed_per(account: BillingAccount) -> str:
    """For whom an organisation's invoices are made now: an ``InvoicePer``."""
    return account.invoice_per or conf.invoice_per()


def parts_of(account: BillingAccount, periods: Iterable[date]) -> list[Billable]:
    """What of these months is on no invoice, each split as it was when the month was billed."""
    wanted = sorted(set(periods))
    held = dict(
        BilledPeriod.objects.filter(
            organisation=account.organisation_id, period__in=wanted
        ).values_list("period", "invoice_per")
    )
    return [
        part
        for period in wanted
        for part in billable(
            account.organisation_id, period, held.get(period) or billed_per(account)
        )
    ]


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
    for organisation_id in sorted(busy):
        try:
            made = _bill(organisation_id, period, now, seen_at, late.get(organisation_id, []))
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
        _looked_at(organisation_ids, period, seen_at)
    return len(rows)


def _bill(
    organisation_id: UUID, period: date, now: datetime, seen_at: datetime, late: list[date]
) -> list[Invoice] | None:
    """The invoices made, None where the month was done before. Raises PriceMissing, NotFound."""
    with transaction.atomic():
        account = hold_account(organisation_id)
        billed = BilledPeriod.objects.filter(organisation_id=organisation_id, period=period).first()
        if billed is not None and billed.status == BilledStatus.DONE:
            return None
        reason = _missing(organisation_id, period)
        made: list[Invoice] = []
        if reason:
            _block(account, period, billed, reason)
        else:
            made = _make(account, period, now, seen_at, late)
    if reason:  # after the commit, so that it is noted
        raise PriceMissing(reason)
    return made


def _missing(organisation_id: UUID, period: date) -> str:
    calls, models = unpriced(organisation_id, period)
    if not calls:
        return ""
    what = "1 call has" if calls == 1 else f"{calls:,} calls have"
    return f"{what} no price: {', '.join(models)}. Once prices hold for them, it is billed."


def _block(account: BillingAccount, period: date, billed: BilledPeriod | None, reason: str) -> None:
    """Note it, and tell once."""
    if billed is not None:
        if billed.reason != reason:
            billed.reason = reason
            billed.save(update_fields=["reason", "updated_at"])
        return
    BilledPeriod.objects.create(
        organisation=account.organisation,
        period=period,
        status=BilledStatus.BLOCKED,
        invoice_per=billed_per(account),
        reason=reason,
    )
    tell_blocked(account.organisation, period, reason)


def _make(
    account: BillingAccount, period: date, now: datetime, seen_at: datetime, late: list[date]
) -> list[Invoice]:
    """Drafts, the month done, and then the numbers, whose row everybody waits for."""
    organisation_id = account.organisation_id
    # A month that is billed after later ones: what comes late is looked for since their billing.
    later = BilledPeriod.objects.filter(
        organisation_id=organisation_id, period__gt=period, status=BilledStatus.DONE
    ).aggregate(last=Max("cutoff"))["last"]
    cutoff = min(seen_at, later) if later else seen_at
    BilledPeriod.objects.update_or_create(
        organisation_id=organisation_id,
        period=period,
        defaults={
            "status": BilledStatus.DONE,
            "invoice_per": billed_per(account),
            "cutoff": cutoff,
            "reason": "",
        },
    )
    drafts = make_drafts(account, period, parts_of(account, [*late, period]))
    _looked_at([organisation_id], period, cutoff)
    if account.needs_review:
        for invoice, _ in drafts:
            note(invoice, "invoice_drafted")
    else:
        finalise_all(account, drafts, now)
    return [invoice for invoice, _ in drafts]


def _looked_at(organisation_ids: Collection[UUID], period: date, seen_at: datetime) -> None:
    """What came late for earlier months is billed up to here."""
    BilledPeriod.objects.filter(
        organisation_id__in=organisation_ids,
        period__lt=period,
        status=BilledStatus.DONE,
        cutoff__lt=seen_at,
    ).update(cutoff=seen_at)
