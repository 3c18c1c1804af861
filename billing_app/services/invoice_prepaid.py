"""What was paid from credits is not asked for again: the invoice of it is a statement.

In the transaction that finalises, which holds the organisation's billing account.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import Final
from uuid import UUID

from billing_app.models import (
    BilledPeriod,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoicePer,
    Payment,
    PaymentStatus,
)
from billing_app.runtime.prepaid import settled
from billing_app.types.money import CENT, ZERO

CREDITS: Final = "credits"
# In ``Payment.meta``: exact dollars by month of use.
COVERED: Final = "covered"

# Whose use of which month; none: the organisation's own, or all of it.
Key = tuple[date, UUID | None]


def payments_of(
    made: Sequence[tuple[Invoice, list[InvoiceLine]]],
) -> dict[UUID, Payment]:
    """By invoice, what credits have paid of it; nothing is stored.

    All of it where credits have paid for all calls, to the last decimal; otherwise their part,
    rounded down to cents. What is known to be paid by one invoice counts for no other.
    """
    owed = {
        invoice.pk: (invoice, _by_month(lines))
        for invoice, lines in made
        if invoice.kind == InvoiceKind.INVOICE and invoice.total > ZERO
    }
    if not owed:
        return {}
    organisation_id = made[0][0].organisation_id
    left = _left(organisation_id, {month for _, months in owed.values() for month in months})
    payments = (_payment(invoice, months, left) for invoice, months in owed.values() if left)
    return {each.invoice_id: each for each in payments if each is not None}


def _by_month(lines: Iterable[InvoiceLine]) -> dict[date, Decimal]:
    """What the lines cost exactly."""
    found: dict[date, Decimal] = {}
    for line in lines:
        found[line.period] = found.get(line.period, ZERO) + line.exact
    return found


def _left(organisation_id: UUID, months: Collection[date]) -> dict[Key, Decimal]:
    """What credits have paid, less what earlier invoices say is paid by it."""
    paid = settled(organisation_id, months)
    if not paid:
        return {}
    billed = BilledPeriod.objects.filter(organisation_id=organisation_id, period__in=months)
    per = dict(billed.values_list("period", "invoice_per"))
    left: dict[Key, Decimal] = {}
    for (month, user_id), amount in paid.items():
        key = (month, user_id if per.get(month) == InvoicePer.USER else None)
        left[key] = left.get(key, ZERO) + amount
    before = Payment.objects.filter(
        organisation_id=organisation_id, provider=CREDITS, status=PaymentStatus.SUCCEEDED
    )
    for user_id, meta in before.values_list("invoice__user_id", "meta"):
        for month, amount in meta.get(COVERED, {}).items():
            key = (date.fromisoformat(month), user_id)
            if key in left:
                left[key] -= Decimal(amount)
    return left


def _payment(
    invoice: Invoice, months: Mapping[date, Decimal], left: Mapping[Key, Decimal]
) -> Payment | None:
    covered = {
        month: min(exact, left.get((month, invoice.user_id), ZERO))
        for month, exact in months.items()
    }
    covered = {month: amount for month, amount in covered.items() if amount > ZERO}
    exact, paid = sum(months.values(), ZERO), sum(covered.values(), ZERO)
    if paid >= exact:
        amount = invoice.total
    else:
        amount = (invoice.total * paid / exact).quantize(CENT, rounding=ROUND_DOWN)
    if amount <= ZERO:
        return None
    return Payment(
        organisation_id=invoice.organisation_id,
        invoice=invoice,
        provider=CREDITS,
        provider_ref=f"{CREDITS}:{invoice.pk}",
        amount=amount,
        status=PaymentStatus.SUCCEEDED,
        meta={COVERED: {f"{month:%Y-%m-%d}": str(each) for month, each in covered.items()}},
    )
