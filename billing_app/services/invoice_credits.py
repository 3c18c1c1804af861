"""Credit notes: what is taken off a finalised invoice, which itself does not change."""

from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from billing_app.models import Invoice, InvoiceKind, InvoiceLine, InvoiceStatus, LineKind
from billing_app.services.invoice_drafts import finalise_all
from billing_app.services.invoice_events import note
from billing_app.services.invoice_months import hold_account
from billing_app.services.invoice_moves import (
    cents_of,
    credited,
    hold,
    only_invoices,
    reason_of,
    wrong_status,
)
from billing_app.services.invoice_payments import settle_if_covered
from billing_app.types.money import spoken, to_cents
from one_project.accounts.models import User
from one_project.common.errors import InvalidInput

DESCRIPTION_LENGTH = 300


@transaction.atomic
def credit(invoice: Invoice, *, amount: Decimal, reason: str, by: User | None) -> Invoice:
    """A credit note, finalised at once, of ``amount`` dollars with the tax in it: at most what
    earlier ones have left of the invoice. An open invoice with nothing left to pay is paid by it.

    Raises InvalidInput, WrongInvoiceStatus for drafts, void invoices and credit notes.
    """
    reason, amount = reason_of(reason), cents_of(amount)
    account = hold_account(invoice.organisation_id)
    held = hold(invoice)
    only_invoices(held, "credited")
    if not held.is_final or held.status == InvoiceStatus.VOID:
        raise wrong_status(held)
    before, tax_before = credited(held)
    if amount > held.total - before:
        raise InvalidInput(
            f"At most {spoken(max(held.total - before, Decimal(0)))} can be credited."
        )
    # Of the sum so far, so that notes over the whole amount hold the whole tax.
    tax = to_cents((before + amount) * held.tax / held.total) - tax_before
    made = Invoice.objects.create(
        organisation=held.organisation,
        user_id=held.user_id,
        kind=InvoiceKind.CREDIT_NOTE,
        period=held.period,
        currency=held.currency,
        subtotal=tax - amount,
        tax_label=held.tax_label,
        tax_percent=held.tax_percent,
        tax=-tax,
        total=-amount,
        customer=held.customer,
        issuer=held.issuer,
        credits=held,
        reason=reason,
    )
    line = InvoiceLine.objects.create(
        organisation_id=held.organisation_id,
        invoice=made,
        position=1,
        kind=LineKind.CREDIT,
        period=held.period,
        description=f"Credit for invoice {held.label}: {reason}"[:DESCRIPTION_LENGTH],
        exact=made.subtotal,
        amount=made.subtotal,
    )
    note(held, "invoice_credited", by=by)
    settle_if_covered(held, by=by)
    finalise_all(account, [(made, [line])], timezone.now(), by=by)
    return made
