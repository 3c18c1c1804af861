"""What becomes of an invoice. Each verb is one transaction, is recorded, and tells the followers
(``invoice_events``); the database has the last word on what may change.

A draft is finalised; a finalised invoice is pending and becomes paid, failed (and pending again)
or void. Paid and void are final; credit notes may follow.
"""

from collections.abc import Iterable
from datetime import date

from django.db import transaction
from django.utils import timezone

from billing_app.errors import InvoiceFinal, WrongInvoiceStatus
from billing_app.models import (
    BillingAccount,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
)
from billing_app.services.invoice_credits import credit
from billing_app.services.invoice_drafts import BATCH, customer_of, fill, finalise_all
from billing_app.services.invoice_events import note, tell
from billing_app.services.invoice_months import hold_account, parts_of
from billing_app.services.invoice_moves import (
    hold,
    left_to_pay,
    move,
    only_drafts,
    only_invoices,
    reason_of,
    received,
    renew,
    wrong_status,
)
from billing_app.services.invoice_payments import mark_paid, refund
from billing_app.types.money import ZERO
from one_project.accounts.models import User

__all__ = [
    "credit",
    "finalise",
    "mark_failed",
    "mark_paid",
    "refund",
    "regenerate",
    "resend",
    "retry_payment",
    "void",
]


@transaction.atomic
def finalise(invoice: Invoice, by: User | None) -> Invoice:
    """Number and seal a draft: from here on it does not change. Raises InvoiceFinal."""
    account = hold_account(invoice.organisation_id)
    held = hold(invoice)
    only_drafts(held)
    finalise_all(account, [(held, list(held.lines.all()))], timezone.now(), by=by)
    return renew(invoice, held)


@transaction.atomic
def mark_failed(invoice: Invoice, *, reason: str, by: User | None = None) -> Invoice:
    """Its payment did not go through. Of one that has failed already nothing changes.

    Raises WrongInvoiceStatus, InvalidInput without a reason.
    """
    reason, held = reason_of(reason), hold(invoice)
    only_invoices(held, "failed")
    if held.status != InvoiceStatus.FAILED:
        move(held, to=InvoiceStatus.FAILED, event="failed", by=by, reason=reason)
    return renew(invoice, held)


@transaction.atomic
def retry_payment(invoice: Invoice, *, by: User | None = None) -> Invoice:
    """A failed one is pending again. Raises WrongInvoiceStatus."""
    held = hold(invoice)
    if held.status != InvoiceStatus.FAILED:
        raise wrong_status(held)
    move(held, to=InvoiceStatus.PENDING, event=None, by=by, reason="")
    return renew(invoice, held)


@transaction.atomic
def void(invoice: Invoice, *, reason: str, by: User | None) -> Invoice:
    """Declare a finalised invoice (or credit note) that is not paid as never made; it stays, with
    its number. Its usage is written off, unless it is made anew (``regenerate``).

    Raises InvalidInput without a reason, WrongInvoiceStatus, also while it has credit notes or
    money of somebody (``refund``), and for a credit note by which an invoice is paid.
    """
    reason = reason_of(reason)
    hold_account(invoice.organisation_id)
    held = hold(invoice)
    if held.credits is not None:
        _needed_no_more(held, held.credits)
    if held.credit_notes.exclude(status=InvoiceStatus.VOID).exists():
        raise WrongInvoiceStatus("It has credit notes. Void them first.")
    if received(held) > ZERO:
        raise WrongInvoiceStatus(
            "Money was received for it. Write a credit note, or send the money back first."
        )
    move(held, to=InvoiceStatus.VOID, event="void", by=by, reason=reason)
    return renew(invoice, held)


def _needed_no_more(note_: Invoice, credited: Invoice) -> None:
    """Paid is final: what an invoice is paid by stays. Raises WrongInvoiceStatus."""
    of = hold(credited)
    if of.status == InvoiceStatus.PAID and left_to_pay(of) > note_.total:
        raise WrongInvoiceStatus(f"Invoice {of.label} is paid by it.")


@transaction.atomic
def regenerate(invoice: Invoice, *, by: User | None) -> Invoice:
    """Compute a draft again, or make a void invoice anew, from what no other invoice holds.

    Returns the draft, or the new invoice (finalised, unless the organisation's wait for review),
    which the void one names in ``replaced_by``. Raises InvoiceFinal for other finalised ones,
    WrongInvoiceStatus for a void one that was made anew before.
    """
    account = hold_account(invoice.organisation_id)
    held = hold(invoice)
    periods = {held.period, *held.lines.values_list("period", flat=True)}
    if not held.is_final:
        held.lines.all().delete()
        _compute(held, account, periods)
        note(held, "invoice_regenerated", by=by)
        return renew(invoice, held)
    if held.kind != InvoiceKind.INVOICE or held.status != InvoiceStatus.VOID:
        raise InvoiceFinal
    made = _replacement(held)
    lines = _compute(made, account, periods)
    if not lines:
        raise WrongInvoiceStatus("Nothing is left to be billed that this invoice was for.")
    note(made, "invoice_regenerated", by=by, instead_of=held.label)
    if not account.needs_review:
        finalise_all(account, [(made, lines)], timezone.now(), by=by)
    renew(invoice, held)
    return made


def _replacement(old: Invoice) -> Invoice:
    """An empty draft in the place of a void invoice, whose lines count no longer."""
    mine = Invoice.objects.filter(
        organisation=old.organisation, period=old.period, user_id=old.user_id
    )
    if old.replaced_by_id is not None or mine.standing().filter(kind=old.kind).exists():
        raise WrongInvoiceStatus(f"Invoice {old.label} was made anew before.")
    made = Invoice.objects.create(
        organisation=old.organisation, period=old.period, user_id=old.user_id
    )
    old.replaced_by = made
    old.save(update_fields=["replaced_by", "updated_at"])
    return made


def _compute(draft: Invoice, account: BillingAccount, periods: Iterable[date]) -> list[InvoiceLine]:
    """Fill a draft without lines with what its person has used in these months and no other
    invoice holds."""
    parts = [part for part in parts_of(account, periods) if part.user_id == draft.user_id]
    lines = fill(draft, account, parts)
    draft.customer = customer_of(account, draft.user_id)
    draft.save()
    InvoiceLine.objects.bulk_create(lines, BATCH)
    return lines


@transaction.atomic
def resend(invoice: Invoice, *, by: User | None) -> Invoice:
    """Have a finalised invoice sent to its person again. Raises WrongInvoiceStatus."""
    held = hold(invoice)
    if not held.is_final or held.status == InvoiceStatus.VOID:
        raise wrong_status(held)
    note(held, "invoice_resent", by=by)
    tell(held, "resend")
    return renew(invoice, held)
