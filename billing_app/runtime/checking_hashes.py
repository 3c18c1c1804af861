"""Check 7: what was finalised is what is there."""

from decimal import Decimal
from typing import Final
from uuid import UUID

from billing_app.models import Invoice
from billing_app.runtime.invariants import Finding, Wrong, finding
from billing_app.runtime.invoice_hash import content_hash

_AT_ONCE: Final = 500


def unchanged() -> Finding:
    """7: the hash of each finalised invoice is that of its row and lines."""
    wrong: list[Wrong] = []
    checked = 0
    final = Invoice.objects.exclude(finalized_at=None).order_by("pk")
    chunk: list[Invoice] = []
    while chunk := list(
        final.filter(pk__gt=chunk[-1].pk if chunk else UUID(int=0)).prefetch_related("lines")[
            :_AT_ONCE
        ]
    ):
        checked += len(chunk)
        wrong += [
            Wrong(f"{invoice.label} ({invoice.pk})", Decimal(1))
            for invoice in chunk
            if content_hash(invoice, invoice.lines.all()) != invoice.content_hash
        ]
    return finding(7, "Finalised invoices are unchanged (invoices)", checked, wrong)
