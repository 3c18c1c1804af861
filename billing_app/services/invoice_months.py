"""The invoices of one organisation's month, in one transaction, once.

Whoever bills an organisation holds its BillingAccount; a BilledPeriod says that a month is done.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from uuid import UUID

from django.db import transaction

from billing_app import conf
from billing_app.errors import PriceMissing
from billing_app.models import BilledPeriod, BilledStatus, BillingAccount, Invoice
from billing_app.runtime.billable import Billable, billable, unpriced
from billing_app.services.invoice_drafts import finalise_all, make_drafts
from billing_app.services.invoice_events import note, tell_blocked
from billing_app.types.periods import bounds
from one_project.accounts.models import Organisation
from one_project.common.errors import NotFound

# By month.
Used = Mapping[date, Collection[Billable]]


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


def parts_of(
    account: BillingAccount, periods: Iterable[date], used: Used | None = None
) -> list[Billable]:
    """What of these months is on no invoice, each split as it was when the month was billed.

    ``used``: what was summed before the account was held, by month (see ``billable``).
    """
    wanted = sorted(set(periods))
    held = dict(
        BilledPeriod.objects.filter(
            organisation=account.organisation_id, period__in=wanted
        ).values_list("period", "invoice_per")
    )
    before = used or {}
    return [
        part
        for period in wanted
        for part in billable(
            account.organisation_id,
            period,
            held.get(period) or billed_per(account),
            before.get(period),
        )
    ]


def bill_month(
    organisation_id: UUID,
    period: date,
    now: datetime,
    seen_at: datetime,
    *,
    late: Collection[date] = (),
    used: Collection[Billable] | None = None,
) -> list[Invoice] | None:
    """The invoices made, None where the month was done before. Raises PriceMissing, NotFound.

    ``seen_at``: what was recorded from then on, or committed since, may be missing and is late.
    ``late``: months before, of which usage has come in since they were billed. ``used``: what was
    summed of ``period`` after ``seen_at``, at a time when nothing of it lacked a price.
    """
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
            summed = {} if used is None else {period: used}
            made = _make(account, period, now, seen_at, late, summed)
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
    account: BillingAccount,
    period: date,
    now: datetime,
    seen_at: datetime,
    late: Collection[date],
    used: Used,
) -> list[Invoice]:
    """Drafts, the month done, and then the numbers, whose row everybody waits for."""
    organisation_id = account.organisation_id
    done = BilledPeriod.objects.filter(organisation_id=organisation_id, status=BilledStatus.DONE)
    cutoffs = {month: cutoff for month, cutoff in done.values_list("period", "cutoff") if cutoff}
    # A month that is billed after later ones: what comes late is looked for since their billing.
    cutoff = min([seen_at, *(each for other, each in cutoffs.items() if other > period)])
    # A draft that was discarded since late months were looked for: its months are to be seen anew.
    discarded = (m for m, each in cutoffs.items() if m < period and each <= bounds(m)[0])
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
    drafts = make_drafts(account, period, parts_of(account, [*late, *discarded, period], used))
    looked_at([organisation_id], period, cutoff)
    if account.needs_review:
        for invoice, _ in drafts:
            note(invoice, "invoice_drafted")
    else:
        finalise_all(account, drafts, now)
    return [invoice for invoice, _ in drafts]


def looked_at(organisation_ids: Collection[UUID], period: date, seen_at: datetime) -> None:
    """What came late for earlier months is billed up to here."""
    BilledPeriod.objects.filter(
        organisation_id__in=organisation_ids,
        period__lt=period,
        status=BilledStatus.DONE,
        cutoff__lt=seen_at,
    ).update(cutoff=seen_at)
