"""What all verbs of one invoice share: holding its row, moving its status, what is left to pay."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from billing_app.errors import InvoiceFinal, WrongInvoiceStatus
from billing_app.models import Invoice, InvoiceKind, InvoiceStatus, PaymentStatus
from billing_app.services.invoice_events import InvoiceEvent, note, tell
from billing_app.types.money import CENT, ZERO
from one_project.accounts.models import User
from one_project.common.errors import InvalidInput, NotFound
from one_project.common.text import clean_text

MOST_REASON: Final = 2_000
TOO_MUCH: Final = Decimal(10**12)
OPEN: Final = (InvoiceStatus.PENDING, InvoiceStatus.FAILED)


def hold(invoice: Invoice) -> Invoice:
    """The row as it is now, locked until the transaction ends. Raises NotFound."""
    rows = Invoice.objects.select_related("organisation").select_for_update(of=("self",))
    held = rows.filter(pk=invoice.pk).first()
    if held is None:
        raise NotFound
    return held


def renew(invoice: Invoice, held: Invoice) -> Invoice:
    """Give the caller's object what is stored now."""
    for field in Invoice._meta.concrete_fields:
        setattr(invoice, field.attname, getattr(held, field.attname))
    return invoice


def move(
    invoice: Invoice,
    *,
    to: InvoiceStatus,
    event: InvoiceEvent | None,
    by: User | None = None,
    reason: str | None = None,
    at: datetime | None = None,
) -> None:
    """Take an invoice that is held from pending or failed to ``to``; record and tell it.

    Raises WrongInvoiceStatus, also where the database refuses.
    """
    at = at or timezone.now()
    changes: dict[str, object] = {"status": to, "updated_at": at}
    if reason is not None:
        changes["reason"] = reason
    if to == InvoiceStatus.PAID:
        changes["paid_at"] = at
    if to == InvoiceStatus.VOID:
        changes["voided_at"] = at
    rows = Invoice.objects.filter(pk=invoice.pk, status__in=OPEN, finalized_at__isnull=False)
    try:
        with transaction.atomic():
            moved = rows.update(**changes)
    except IntegrityError as error:
        raise wrong_status(invoice) from error
    if not moved:
        raise wrong_status(invoice)
    for name, value in changes.items():
        setattr(invoice, name, value)
    note(invoice, f"invoice_{to}", by=by)
    if event is not None:
        tell(invoice, event)


def wrong_status(invoice: Invoice) -> WrongInvoiceStatus:
    """The error that says what the invoice is."""
    if not invoice.is_final:
        return WrongInvoiceStatus("This invoice is a draft. Finalise it first.")
    return WrongInvoiceStatus(f"Invoice {invoice.label} is {invoice.status}.")


def only_invoices(invoice: Invoice, verb: str) -> None:
    """Raises WrongInvoiceStatus for credit notes."""
    if invoice.kind != InvoiceKind.INVOICE:
        raise WrongInvoiceStatus(f"A credit note cannot be {verb}.")


def only_drafts(invoice: Invoice) -> None:
    """Raises InvoiceFinal."""
    if invoice.is_final:
        raise InvoiceFinal


def reason_of(text: str) -> str:
    """Raises InvalidInput where there is none."""
    reason = clean_text(text).strip()[:MOST_REASON]
    if not reason:
        raise InvalidInput("Please give a reason.")
    return reason


def cents_of(amount: Decimal) -> Decimal:
    """A sum of money that somebody entered. Raises InvalidInput unless it is whole cents above
    nothing."""
    if not amount.is_finite() or not ZERO < amount < TOO_MUCH or amount != amount.quantize(CENT):
        raise InvalidInput("Give an amount in dollars and cents, more than nothing.")
    return amount.quantize(CENT)


def credited(invoice: Invoice) -> tuple[Decimal, Decimal]:
    """What credit notes have taken off an invoice, and the tax in it; both at least nothing."""
    sums = invoice.credit_notes.exclude(status=InvoiceStatus.VOID).aggregate(
        total=Sum("total"), tax=Sum("tax")
    )
    return -(sums["total"] or ZERO), -(sums["tax"] or ZERO)


def received(invoice: Invoice) -> Decimal:
    """What was paid for an invoice, less what was sent back."""
    paid = invoice.payments.filter(status=PaymentStatus.SUCCEEDED).aggregate(sum=Sum("amount"))
    return paid["sum"] or ZERO


def left_to_pay(invoice: Invoice) -> Decimal:
    """Its total less credit notes and payments; below nothing where too much was paid."""
    return invoice.total - credited(invoice)[0] - received(invoice)


def too_much(invoice: Invoice) -> Decimal:
    """What of the money received may go back: of a paid invoice what it does not need, of another
    one all."""
    if invoice.status == InvoiceStatus.PAID:
        return max(-left_to_pay(invoice), ZERO)
    return received(invoice)
