"""Invoices: the list, one of them, its files, and the way to pay it."""

from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from billing_app.access import access_invoice, sees_organisation
from billing_app.models import Invoice, InvoiceKind
from billing_app.runtime.documents import day, document_of, month, spoken_exactly
from billing_app.runtime.invoice_reading import (
    STATUSES,
    Asked,
    filtered,
    months_of,
    sums_of,
    visible_invoices,
)
from billing_app.services.invoice_files import SHEET, csv_of, html_of, pdf_of
from billing_app.services.invoice_moves import OPEN, left_to_pay
from billing_app.services.payments import begin_payment, payers
from billing_app.views.files import pdf_response
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.csv_files import csv_response
from one_project.common.text import clean_line

PAGE: Final = 50
# Shape and colour of work.css; the word is said as well.
LOOKS: Final = {
    "draft": "is-skipped",
    "pending": "is-in-progress",
    "paid": "is-completed",
    "failed": "is-blocked",
    "void": "is-skipped",
}
WORDS: Final = {
    "draft": "Draft",
    "pending": "To be paid",
    "paid": "Paid",
    "failed": "Payment failed",
    "void": "Void",
}


@require_safe
@member_required
def invoice_list(request: MemberRequest) -> HttpResponse:
    """The person's own; those of everybody for who administers the organisation."""
    membership = request.membership
    asked = Asked.of(request.GET.dict())
    found = filtered(visible_invoices(membership), asked)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    sums = sums_of(found)
    context = {
        "lines": [_line(one) for one in page.object_list],
        "page": page,
        "query": query.urlencode(),
        "asked": asked,
        "months": [(f"{one:%Y-%m}", month(one)) for one in months_of(membership)],
        "statuses": [(one, WORDS[one]) for one in STATUSES],
        "is_admin": sees_organisation(membership),
        "billed": spoken_exactly(sums.billed),
        "paid": spoken_exactly(sums.paid),
        "open": spoken_exactly(sums.open),
    }
    return render(request, "usage/invoices.html", context)


def _line(invoice: Invoice) -> dict[str, Any]:
    return {
        "row": invoice,
        "title": _title(invoice),
        "month": month(invoice.period),
        "customer": str(invoice.customer.get("name") or ""),
        "total": spoken_exactly(invoice.total),
        "due": day(invoice.due_on) if invoice.due_on and _is_owed(invoice) else "",
        **_status(invoice),
    }


def _is_owed(invoice: Invoice) -> bool:
    return invoice.is_final and invoice.kind == InvoiceKind.INVOICE and invoice.status in OPEN


def _title(invoice: Invoice) -> str:
    if not invoice.is_final:
        return f"Draft for {month(invoice.period)}"
    kind = "Credit note" if invoice.kind == InvoiceKind.CREDIT_NOTE else "Invoice"
    return f"{kind} {invoice.label}"


def _status(invoice: Invoice) -> dict[str, str]:
    if invoice.kind == InvoiceKind.CREDIT_NOTE and invoice.is_final and invoice.status != "void":
        return {"status": "Credit", "look": "is-completed"}
    status = str(invoice.status) if invoice.is_final else "draft"
    return {"status": WORDS[status], "look": LOOKS[status]}


@require_safe
@member_required
def invoice(request: MemberRequest, invoice_id: UUID) -> HttpResponse:
    """What it says, what was paid, and what came of it."""
    found = access_invoice(request.membership, invoice_id)
    document = document_of(found, list(found.lines.order_by("position")))
    notes = visible_invoices(request.membership).filter(credits=found).order_by("number")
    ways, left = payers(found), left_to_pay(found)
    context = {
        "invoice": found,
        "title": _title(found),
        "document": document,
        "is_admin": sees_organisation(request.membership),
        "payments": [
            {"row": one, "amount": spoken_exactly(one.amount), "day": day(one.updated_at)}
            # One that was begun and came to nothing yet is no payment.
            for one in found.payments.exclude(status="pending").order_by("created_at")
        ],
        "credit_notes": [_line(one) for one in notes],
        "credits": _seen(request, found.credits_id),
        "replaced_by": _seen(request, found.replaced_by_id),
        "payers": ways,
        "left": spoken_exactly(left) if left > 0 else "",
        "is_back": "paid" in request.GET,
        **_status(found),
    }
    return render(request, "usage/invoice.html", context)


def _seen(request: MemberRequest, invoice_id: UUID | None) -> Invoice | None:
    """Another invoice that this one names, if the person may see it."""
    if invoice_id is None:
        return None
    return visible_invoices(request.membership).filter(pk=invoice_id).first()


@require_safe
@member_required
def invoice_print(request: MemberRequest, invoice_id: UUID) -> HttpResponse:
    """A page made for paper."""
    found = access_invoice(request.membership, invoice_id)
    return HttpResponse(html_of(found, stylesheet=static(SHEET)))


@require_safe
@member_required
def invoice_pdf(request: MemberRequest, invoice_id: UUID) -> HttpResponse:
    """The PDF, to be saved. 503 where this machine makes none."""
    found = access_invoice(request.membership, invoice_id)
    return pdf_response(pdf_of(found), f"{_filename(found)}.pdf")


@require_safe
@member_required
def invoice_csv(request: MemberRequest, invoice_id: UUID) -> HttpResponseBase:
    found = access_invoice(request.membership, invoice_id)
    return csv_response(request, csv_of(found), _filename(found))


def _filename(invoice: Invoice) -> str:
    if not invoice.is_final:
        return f"draft-{invoice.period:%Y-%m}"
    kind = "credit-note" if invoice.kind == InvoiceKind.CREDIT_NOTE else "invoice"
    return f"{kind}-{invoice.label.removeprefix('CN-')}"


@require_POST
@member_required
def invoice_pay(request: MemberRequest, invoice_id: UUID) -> HttpResponse:
    """Send the person to where they pay; they come back to the invoice."""
    found = access_invoice(request.membership, invoice_id)
    back = request.build_absolute_uri(reverse("usage:invoice", args=[found.pk]))
    url = begin_payment(found, clean_line(request.POST.get("with"), 40), back)
    if getattr(request, "htmx", False):
        # A form may only lead to addresses of ours (form-action); a script may follow.
        return HttpResponseClientRedirect(url)
    response = redirect(url)
    response.status_code = 303
    return response
