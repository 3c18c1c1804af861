"""Invoices as files: HTML for paper, PDF (made once and kept), CSV.

All three are made of ``runtime.documents``, so they say the same. PDFs reach nothing outside: no
network, no files.
"""

import hashlib
import logging
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

from billing_app.errors import PdfBusy, PdfUnavailable
from billing_app.models import Invoice, InvoiceFile, InvoiceLine
from billing_app.runtime.documents import document_of
from billing_app.services.invoice_events import on_invoice
from one_project.common.csv_files import csv_pieces
from one_project.workflows.definitions import step
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Retry

logger = logging.getLogger("one.billing")

SHEET: Final = "css/invoice-paper.css"
# A hundred lines take more than a second of a processor, and drafts are made anew for each asker.
MOST_OF_DRAFT: Final = 500
# So many at once in a process, and how long others wait for their turn (seconds).
AT_ONCE: Final = 2
WAIT: Final = 10
COLUMNS: Final = (
    "invoice", "kind", "month", "provider", "model", "token_type", "description", "estimated",
    "quantity", "unit_price_per_million", "exact", "amount", "currency",
)  # fmt: skip


def html_of(invoice: Invoice, *, stylesheet: str = "") -> str:
    """The whole page for paper. ``stylesheet``: the address of its sheet, for browsers."""
    lines = list(invoice.lines.order_by("position"))
    context = {"document": document_of(invoice, lines), "stylesheet": stylesheet}
    return render_to_string("usage/invoice_print.html", context)


def pdf_of(invoice: Invoice) -> bytes:
    """The PDF. Of a finalised invoice it is made once and kept; drafts are marked and not kept.

    Raises PdfUnavailable where the machine lacks the libraries and for drafts of very many lines,
    PdfBusy (one of them) where too many are being made. Takes a second and more when it has to be
    made: call it outside of transactions.
    """
    if not invoice.is_final:
        if invoice.lines.count() > MOST_OF_DRAFT:
            raise PdfUnavailable(LONG_DRAFT)
        return rendered(invoice)
    kept = InvoiceFile.objects.filter(invoice=invoice).first()
    if kept is None:
        kept = _keep(invoice, rendered(invoice))
    return bytes(kept.content)


LONG_DRAFT: Final = (
    f"Drafts of more than {MOST_OF_DRAFT} lines have no PDF until they are finalised. Print the "
    "page, or take the CSV."
)
_turns: Final = threading.BoundedSemaphore(AT_ONCE)


def _keep(invoice: Invoice, content: bytes) -> InvoiceFile:
    """Whoever is first: the file of an invoice does not change any more."""
    made = InvoiceFile(
        organisation_id=invoice.organisation_id,
        invoice=invoice,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
    )
    InvoiceFile.objects.bulk_create([made], ignore_conflicts=True)
    return InvoiceFile.objects.get(invoice=invoice)


def rendered(invoice: Invoice) -> bytes:
    """A PDF made now; of the same invoice always the same bytes. Raises PdfUnavailable, PdfBusy."""
    html = html_of(invoice)
    try:
        # Half a second, and Pango: not where everybody's start would pay for it.
        from weasyprint import CSS, HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        logger.warning("PDFs cannot be made: %s", str(error).split("\n", 1)[0][:200])
        raise PdfUnavailable(detail="Pango is missing") from error
    # An object: a plain function in its place crashes when it refuses.
    fetcher = URLFetcher(allowed_protocols=["data"])
    if not _turns.acquire(timeout=WAIT):
        raise PdfBusy
    try:
        page = HTML(string=html, url_fetcher=fetcher)
        sheet = CSS(string=_sheet(), url_fetcher=fetcher)
        content: bytes = page.write_pdf(stylesheets=[sheet], pdf_variant="pdf/ua-1")
    finally:
        _turns.release()
    return content


def _sheet() -> str:
    found = finders.find(SHEET)
    if not isinstance(found, str):
        raise FileNotFoundError(SHEET)
    with open(found, encoding="utf-8") as file:
        return file.read()


# --- CSV -----------------------------------------------------------------------------------------


def csv_of(invoice: Invoice) -> Iterator[bytes]:
    """Its lines, then rows of kind subtotal, tax and total; in pieces of about 64 KiB.

    UTF-8 with a byte order mark. Numbers are plain (``1234.50``, ``-2.00``); texts that a
    spreadsheet could take for a formula begin with an apostrophe.
    """
    return csv_pieces(COLUMNS, _csv_rows(invoice))


def _csv_rows(invoice: Invoice) -> Iterator[tuple[Any, ...]]:
    label = invoice.label
    # All of them: between two pieces of a file the connection is somebody else's.
    for line in list(invoice.lines.order_by("position")):
        yield _csv_line(label, line, invoice.currency)
    for kind in ("subtotal", "tax", "total"):
        amount: Decimal = getattr(invoice, kind)
        words = invoice.tax_label if kind == "tax" else ""
        blanks = ("",) * 3
        middle = (words, "", "", "", "")
        yield (label, kind, f"{invoice.period:%Y-%m}", *blanks, *middle, amount, invoice.currency)


def _csv_line(label: str, line: InvoiceLine, currency: str) -> tuple[Any, ...]:
    return (
        label,
        line.kind,
        f"{line.period:%Y-%m}",
        line.provider,
        line.model,
        line.token_type,
        line.description,
        line.is_estimated,
        line.quantity,
        line.unit_price,
        line.exact,
        line.amount,
        currency,
    )


# --- Made when an invoice is finalised -----------------------------------------------------------


@on_invoice
def follow(invoice: Invoice, event: str) -> None:
    """Has the PDF made by a worker, in the transaction that finalised the invoice."""
    if event == "finalised":
        enqueue(make_pdf, invoice.pk, organisation_id=invoice.organisation_id)


# Making it again gives the same; what is kept stays.
@step(name="billing.invoice_pdf", retry=Retry(attempts=3, initial=5.0), timeout=300)
def make_pdf(invoice_id: UUID) -> str:
    """``kept``, ``gone``, or ``unavailable`` where the machine cannot; who asks for it is told."""
    invoice = Invoice.objects.filter(pk=invoice_id, finalized_at__isnull=False).first()
    if invoice is None:
        return "gone"
    try:
        pdf_of(invoice)
    except PdfBusy:
        raise  # tried again
    except PdfUnavailable:
        return "unavailable"
    return "kept"
