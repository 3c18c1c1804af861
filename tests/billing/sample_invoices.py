"""Invoices for tests, made row by row. Not a test module."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_app.models import Invoice, InvoiceKind, InvoiceLine, LineKind
from one_project.accounts.models import Organisation

PERIOD = date(2026, 5, 1)
FINALISED = datetime(2026, 6, 2, tzinfo=UTC)

# Model, kind of token, tokens, price a million, amount: what is said in tests is said of these.
LINES = (
    ("gpt-5.1", "input", 1_234_567, "1.25", "1.54"),
    ("gpt-5.1", "cached_input", 100, "0.125", "0.00"),
    ("gpt-5.1", "output", 123_456_789, "10", "1234.57"),
)


def make_invoice(
    organisation: Organisation,
    user_id: UUID | None = None,
    *,
    number: int = 1,
    is_final: bool = True,
    lines: Any = LINES,
    tax_percent: str = "0",
    name: str = "Acme Ltd",
    **fields: Any,
) -> Invoice:
    """For May 2026; ``number`` 1 is 2026-000001. Tax is added to what the lines sum up to."""
    subtotal = sum((Decimal(line[4]) for line in lines), Decimal(0))
    tax = (subtotal * Decimal(tax_percent) / 100).quantize(Decimal("0.01"))
    made = Invoice.objects.create(
        organisation=organisation,
        user_id=user_id,
        period=fields.pop("period", PERIOD),
        subtotal=subtotal,
        tax_label="VAT" if tax else "",
        tax_percent=Decimal(tax_percent),
        tax=tax,
        total=subtotal + tax,
        due_on=date(2026, 6, 16),
        customer={"name": name, "email": "billing@example.test", "address": "1 Road\nTown"},
        issuer={"name": "ONE", "tax_number": "X-1"},
        **fields,
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            organisation=organisation,
            invoice=made,
            position=position,
            kind=LineKind.USAGE if made.kind == InvoiceKind.INVOICE else LineKind.CREDIT,
            period=made.period,
            provider="openai",
            model=model,
            token_type=kind,
            description=f"{model}, {kind} tokens",
            quantity=quantity,
            unit_price=Decimal(price),
            exact=quantity * Decimal(price) / 1_000_000,
            amount=Decimal(amount),
        )
        for position, (model, kind, quantity, price, amount) in enumerate(lines, 1)
    )
    if is_final:
        made.year, made.number, made.content_hash = 2026, number, "0" * 64
        made.finalized_at = FINALISED
        made.save()
    made.refresh_from_db()
    return made
