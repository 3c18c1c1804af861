"""What the admin says about invoices: what may be done with one, what comes of it, their sums."""

from typing import Any, Final

from django.db.models import Q, QuerySet, Sum
from django.utils.html import format_html_join

from billing_app.models import Invoice, InvoiceKind, InvoiceStatus
from billing_app.services.invoice_moves import too_much
from billing_app.types.money import ZERO, spoken

# What comes of an action, above the question it asks.
EXPLAINED: Final = {
    "paid": "What is still open of each is noted as received. This cannot be taken back here.",
    "failed": "Whoever is billed is told, with this reason, and may pay again.",
    "credit": "It is taken off what is owed, by a document with a number of its own.",
    "refund": "No money is moved here: send it first, then note it.",
    "void": "It keeps its number and is not to be paid. Its usage is written off, unless you make "
    "the invoice anew afterwards.",
}


def verbs_of(invoice: Invoice) -> set[str]:
    """The actions that its state lets through; the services have the last word."""
    if not invoice.is_final:
        return {"finalise", "regenerate", "discard"}
    back = {"refund"} if too_much(invoice) > ZERO else set()
    if invoice.status == InvoiceStatus.VOID:
        return back | ({"regenerate"} if invoice.kind == InvoiceKind.INVOICE else set())
    verbs = {"resend"} | back
    if invoice.status != InvoiceStatus.PAID:
        verbs |= {"void"}
    if invoice.kind == InvoiceKind.INVOICE:
        verbs |= {"credit"}
        if invoice.status != InvoiceStatus.PAID:
            verbs |= {"mark_paid", "mark_failed"}
        if invoice.status == InvoiceStatus.FAILED:
            verbs |= {"retry"}
    return verbs


def party(held: dict[str, Any]) -> str:
    """Name, address and the rest, a line each."""
    found = "\n".join(
        str(held.get(name) or "") for name in ("name", "address", "email", "tax_number")
    )
    lines = [(line,) for line in found.splitlines() if line]
    return format_html_join("", '<span class="is-line" dir="auto">{}</span>', lines)


def totals(invoices: QuerySet[Invoice]) -> list[tuple[str, str]]:
    """What the listed ones come to, by status, credit notes taken off. Drafts by themselves: what
    they say may change, and nobody owes it."""
    drafts = Q(finalized_at=None)
    by_status = invoices.order_by().values_list("status")
    found = dict(by_status.exclude(drafts).annotate(sum=Sum("total")))
    draft = invoices.filter(drafts).aggregate(sum=Sum("total"))["sum"]
    shown = [(status.label, spoken(found[status])) for status in InvoiceStatus if status in found]
    standing = sum((found[each] for each in found if each != InvoiceStatus.VOID), ZERO)
    said = [*shown, ("Finalised and not void", spoken(standing))]
    return said if draft is None else [("Drafts", spoken(draft)), *said]
