"""What an organisation has of billing: usage of the member, and an invoice for it."""

from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from benchmarks.tenancy.side import Side


def given_bills(side: "Side") -> dict[str, UUID]:
    """The member's call of May, and its invoice."""
    from billing_app.models import Invoice
    from tests.security.billing_rows import billed

    made = billed(
        side.organisation.pk,
        side.people["member"].pk,
        number=Invoice.objects.count() + 1,
        name=f"Member of {side.marker}",
    )
    return {"invoice_id": made.pk}
