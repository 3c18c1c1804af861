"""What everybody gets at the addresses of usage and invoices (see ``test_every_url``).

Each row: method, statuses for anonymous, outsider, member, staff, admin and owner, form. The
invoice is the member's, finalised: they and admins see it, for all others it does not exist.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing_app.models import Invoice, InvoiceLine, UsageRecord
from tests.people import World

LOGIN = 302
MEMBERS = (LOGIN, 200, 200, 200, 200, 200)
OF_MEMBER = (LOGIN, 404, 200, 404, 200, 200)
Rows = dict[str, tuple[str, tuple[int, ...], dict[str, str]]]

# Everybody sees their own; an outsider that of their own organisation.
USAGE_ROWS: Rows = {
    "usage:home": ("get", MEMBERS, {}),
    "usage:csv": ("get", MEMBERS, {}),
    "usage:records": ("get", MEMBERS, {}),
}

INVOICE_ROWS: Rows = {
    "usage:invoices": ("get", MEMBERS, {}),
    "usage:invoice": ("get", OF_MEMBER, {}),
    "usage:invoice_pdf": ("get", OF_MEMBER, {}),
    "usage:invoice_csv": ("get", OF_MEMBER, {}),
    "usage:invoice_print": ("get", OF_MEMBER, {}),
    # No way to pay is set up.
    "usage:invoice_pay": ("post", (LOGIN, 404, 404, 404, 404, 404), {}),
}

BILLING_ROWS: Rows = {**USAGE_ROWS, **INVOICE_ROWS}

MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 2, tzinfo=UTC)


def made_of_billing(world: World) -> dict[str, UUID]:
    """A finalised invoice of the member for May, and the usage it is about, by placeholder."""
    made = billed(world.organisation.pk, world.bob.pk, number=1, name="Acme")
    return {"invoice": made.pk}


def billed(organisation_id: UUID, user_id: UUID, *, number: int, name: str) -> Invoice:
    """An invoice of two dollars and the call it is for. ``name``: the customer's."""
    tokens: dict[str, Any] = {"provider": "openai", "model": "gpt-5.1"}
    UsageRecord.objects.create(
        **tokens,
        organisation_id=organisation_id,
        user_id=user_id,
        agent_name=f"Guide of {name}",
        purpose="answer",
        occurred_at=MAY,
        billing_period=MAY.date(),
        input_tokens=1_000_000,
        pricing="listed",
        price_input=Decimal(2),
        cost=Decimal(2),
    )
    invoice = Invoice.objects.create(
        organisation_id=organisation_id,
        user_id=user_id,
        period=MAY.date(),
        subtotal=Decimal(2),
        total=Decimal(2),
        customer={"name": name, "email": "", "address": "", "tax_number": ""},
        issuer={"name": "ONE", "email": "", "address": "", "tax_number": ""},
    )
    InvoiceLine.objects.create(
        **tokens,
        organisation_id=organisation_id,
        invoice=invoice,
        position=1,
        period=MAY.date(),
        token_type="input",
        description=f"gpt-5.1 input for {name}",
        quantity=1_000_000,
        unit_price=Decimal(2),
        exact=Decimal(2),
        amount=Decimal(2),
    )
    invoice.year, invoice.number, invoice.finalized_at = 2026, number, JUNE
    invoice.content_hash = "0" * 64
    invoice.save()
    return invoice
