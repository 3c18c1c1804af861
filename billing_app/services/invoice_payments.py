"""Money for invoices: each payment counts once, whoever tells of it, however often."""

from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from billing_app.models import Invoice, InvoiceStatus, Payment, PaymentStatus
from billing_app.services.invoice_events import note
from billing_app.services.invoice_moves import (
    OPEN,
    cents_of,
    hold,
    left_to_pay,
    move,
    only_invoices,
    reason_of,
    renew,
    too_much,
    wrong_status,
)
from billing_app.types.money import ZERO, spoken
from one_project.accounts.models import User
from one_project.common.errors import Conflict, InvalidInput

# By hand: somebody has seen the money.
MANUAL: Final = "manual"
# Money that went back; amounts are below nothing.
REFUND: Final = "refund"


@transaction.atomic
def mark_paid(
    invoice: Invoice,
    *,
    by: User | None = None,
    provider: str = MANUAL,
    ref: str,
    amount: Decimal | None = None,
) -> Invoice:
    """Store a payment (of what is left, where no amount is given); the invoice is paid once
    nothing is left. The same ``ref`` of a provider again is the same result.

    A person marks invoices that are pending or failed, as paid in full. What a provider has
    received is stored whatever became of the invoice, with the event ``invoice_paid_unexpectedly``
    where it was not open. Raises WrongInvoiceStatus, InvalidInput, and Conflict for a ``ref`` of
    another invoice.
    """
    held = hold(invoice)
    only_invoices(held, "paid")
    if not held.is_final:
        raise wrong_status(held)
    if not ref.strip():
        raise InvalidInput("Give a reference of the payment.")
    known = _known(provider, ref)
    if known is not None and known.invoice_id != held.pk:
        raise Conflict("This reference belongs to the payment of another invoice.")
    if known is not None and known.status == PaymentStatus.SUCCEEDED:
        return renew(invoice, held)
    left = left_to_pay(held)
    is_open = held.status in OPEN
    if provider == MANUAL and not is_open:
        raise wrong_status(held)
    paid = cents_of(amount if amount is not None else left)
    if provider == MANUAL and paid < left:
        raise InvalidInput(f"{spoken(left)} is to be paid. Write a credit note for the rest.")
    _store(held, known, provider, ref, paid, by.pk if by else None)
    if not is_open:
        note(held, "invoice_paid_unexpectedly", by=by, provider=provider)
    elif paid >= left:
        move(held, to=InvoiceStatus.PAID, event="paid", by=by)
    else:
        note(held, "invoice_paid_in_part", by=by, provider=provider)
    return renew(invoice, held)


@transaction.atomic
def refund(
    invoice: Invoice, *, reason: str, ref: str, amount: Decimal | None = None, by: User | None
) -> Invoice:
    """Note that money was sent back (somebody did so outside), as a payment below nothing: what was
    received too much, where no amount is given, and no more than that.

    Of a paid invoice only what its total less credit notes does not need; of an open or void one
    all. The same ``ref`` again is the same result. Raises InvalidInput, WrongInvoiceStatus,
    Conflict for a ``ref`` of another invoice or amount.
    """
    reason, held = reason_of(reason), hold(invoice)
    only_invoices(held, "refunded")
    if not held.is_final:
        raise wrong_status(held)
    if not ref.strip():
        raise InvalidInput("Give a reference of the refund.")
    known = _known(REFUND, ref)
    if known is not None:
        if known.invoice_id != held.pk or amount not in (None, -known.amount):
            raise Conflict("This reference belongs to another refund.")
        return renew(invoice, held)
    most = too_much(held)
    sent = cents_of(amount) if amount is not None else most
    if not ZERO < sent <= most:
        raise InvalidInput(f"At most {spoken(most)} can be sent back.")
    _store(held, None, REFUND, ref, -sent, by.pk if by else None, meta={"reason": reason})
    note(held, "invoice_refunded", by=by)
    return renew(invoice, held)


def settle_if_covered(invoice: Invoice, *, by: User | None = None) -> None:
    """Mark an open invoice that is held as paid where nothing is left to pay."""
    if invoice.status in OPEN and left_to_pay(invoice) <= ZERO:
        move(invoice, to=InvoiceStatus.PAID, event="paid", by=by)


def _known(provider: str, ref: str) -> Payment | None:
    """The payment of that reference. Others of the same invoice wait for its row."""
    return Payment.objects.filter(provider=provider, provider_ref=ref).first()


def _store(
    invoice: Invoice,
    known: Payment | None,
    provider: str,
    ref: str,
    amount: Decimal,
    by_id: UUID | None,
    meta: dict[str, str] | None = None,
) -> None:
    """A payment that was begun before becomes one that succeeded; otherwise a new row. Raises
    Conflict where another invoice took the reference at this moment."""
    if known is not None:
        known.status, known.amount, known.by_id = PaymentStatus.SUCCEEDED, amount, by_id
        known.save(update_fields=["status", "amount", "by_id", "updated_at"])
        return
    made = Payment(
        organisation_id=invoice.organisation_id,
        invoice=invoice,
        provider=provider,
        provider_ref=ref,
        amount=amount,
        status=PaymentStatus.SUCCEEDED,
        by_id=by_id,
        meta=meta or {},
    )
    Payment.objects.bulk_create([made], ignore_conflicts=True)
    if not Payment.objects.filter(pk=made.pk).exists():
        raise Conflict("This reference belongs to the payment of another invoice.")
