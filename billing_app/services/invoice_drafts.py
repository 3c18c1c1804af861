"""Drafts of invoices, made of what is billable, and their finalising.

All in the caller's transaction, which holds the organisation's billing account.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from billing_app.conf import invoice_issuer
from billing_app.models import (
    BillingAccount,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceStatus,
    LineKind,
    Payment,
)
from billing_app.runtime.billable import Billable
from billing_app.runtime.invoice_hash import content_hash
from billing_app.services.invoice_events import note, tell
from billing_app.services.invoice_numbers import take_numbers
from billing_app.services.invoice_prepaid import CREDITS, payments_of
from billing_app.types.money import ZERO, cost_of_tokens, to_cents
from one_project.accounts.models import User
from one_project.common.crash_points import crash_point

BATCH: Final = 1_000
# In the order of lines.
TOKEN_TYPES: Final = {
    "input": "input",
    "embedding": "embedding",
    "cached_input": "cached input",
    "cache_write": "cache write",
    "output": "output",
}
FORMER: Final = "Former member"


def make_drafts(
    account: BillingAccount, period: date, parts: Iterable[Billable]
) -> list[tuple[Invoice, list[InvoiceLine]]]:
    """One draft for each person that ``parts`` name (none: the organisation), with its lines."""
    by_person: dict[UUID | None, list[Billable]] = {}
    for part in parts:
        by_person.setdefault(part.user_id, []).append(part)
    customers = _customers(account, by_person)
    made = []
    for user_id in sorted(by_person, key=str):
        invoice = Invoice(
            organisation=account.organisation,
            user_id=user_id,
            period=period,
            customer=customers[user_id],
        )
        made.append((invoice, fill(invoice, account, by_person[user_id])))
    Invoice.objects.bulk_create([invoice for invoice, _ in made], BATCH)
    crash_point("invoice_made")
    InvoiceLine.objects.bulk_create([line for _, lines in made for line in lines], BATCH)
    crash_point("lines_made")
    return made


def fill(
    invoice: Invoice, account: BillingAccount, parts: Collection[Billable]
) -> list[InvoiceLine]:
    """The lines of ``parts``, and the invoice's sums, tax and issuer; nothing is stored.

    A line is rounded once; the tax once, on the sum of the lines.
    """
    lines = [
        _line(invoice, position, part)
        for position, part in enumerate(sorted(parts, key=_order), start=1)
    ]
    invoice.issuer = invoice_issuer()
    invoice.tax_label, invoice.tax_percent = account.tax_label, account.tax_percent
    invoice.subtotal = sum((line.amount for line in lines), Decimal("0.00"))
    invoice.tax = to_cents(invoice.subtotal * account.tax_percent / 100)
    invoice.total = invoice.subtotal + invoice.tax
    return lines


def customer_of(account: BillingAccount, user_id: UUID | None) -> dict[str, str]:
    """Who is billed, as it is now."""
    return _customers(account, [user_id])[user_id]


def finalise_all(
    account: BillingAccount,
    made: Sequence[tuple[Invoice, list[InvoiceLine]]],
    now: datetime,
    *,
    by: User | None = None,
) -> None:
    """Number, seal and store drafts of one kind. What comes to nothing is paid by that, and what
    credits have paid for is paid, all or in part.

    The numbers are the last that is locked.
    """
    if not made:
        return
    day = now.astimezone(UTC).date()
    payments = payments_of(made)
    numbers = take_numbers(made[0][0].kind, day.year, len(made))
    crash_point("invoice_numbered")
    for number, (invoice, lines) in zip(numbers, made, strict=True):
        invoice.year, invoice.number, invoice.finalized_at = day.year, number, now
        if invoice.kind == InvoiceKind.INVOICE:
            payment = payments.get(invoice.pk)
            is_covered = payment is not None and payment.amount == invoice.total
            if not is_covered:
                invoice.due_on = day + timedelta(days=account.payment_days)
            if is_covered or invoice.total == ZERO:
                invoice.status, invoice.paid_at = InvoiceStatus.PAID, now
        invoice.content_hash = content_hash(invoice, lines)
        invoice.updated_at = now
    Invoice.objects.bulk_update(
        [invoice for invoice, _ in made],
        ["year", "number", "finalized_at", "due_on", "status", "paid_at", "content_hash"],
        BATCH,
    )
    Payment.objects.bulk_create(payments.values(), BATCH)
    for invoice, _ in made:
        note(invoice, "invoice_finalised", by=by)
        tell(invoice, "finalised")
        if invoice.pk not in payments:
            continue
        if invoice.status == InvoiceStatus.PAID:
            note(invoice, "invoice_paid", by=by, provider=CREDITS)
            tell(invoice, "paid")
        else:
            note(invoice, "invoice_paid_in_part", by=by, provider=CREDITS)


def _order(part: Billable) -> tuple[date, str, str, int, Decimal]:
    place = list(TOKEN_TYPES).index(part.token_type)
    return (part.period, part.provider, part.model, place, part.unit_price)


def _line(invoice: Invoice, position: int, part: Billable) -> InvoiceLine:
    is_late = part.period != invoice.period
    words = f"{part.model} {TOKEN_TYPES[part.token_type]}"
    exact = cost_of_tokens(part.quantity, part.unit_price)
    return InvoiceLine(
        organisation_id=invoice.organisation_id,
        invoice=invoice,
        position=position,
        kind=LineKind.ADJUSTMENT if is_late else LineKind.USAGE,
        period=part.period,
        provider=part.provider,
        model=part.model,
        token_type=part.token_type,
        description=f"{part.period:%B %Y} adjustments: {words}" if is_late else words,
        is_estimated=part.is_estimated,
        quantity=part.quantity,
        unit_price=part.unit_price,
        exact=exact,
        amount=to_cents(exact),
    )


def _customers(
    account: BillingAccount, user_ids: Iterable[UUID | None]
) -> Mapping[UUID | None, dict[str, str]]:
    wanted = set(user_ids)
    name = account.legal_name or account.organisation.name
    found: dict[UUID | None, dict[str, str]] = {
        None: {
            "name": name,
            "email": account.email,
            "address": account.address,
            "tax_number": account.tax_number,
        }
    }
    people = User.objects.in_bulk([each for each in wanted if each is not None])
    for user_id in wanted - {None}:
        person = people.get(user_id) if user_id else None
        found[user_id] = {
            "name": person.display_name if person else FORMER,
            "email": person.email if person else "",
            "address": name,
            "tax_number": "",
        }
    return found
