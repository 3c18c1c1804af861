"""Invoices on paper: HTML, PDF and CSV say the same, always, and reach nothing outside."""

import csv
import io
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pypdfium2
import pytest
from django.db import connection
from django.utils.html import strip_tags

from billing_app.errors import PdfBusy, PdfUnavailable
from billing_app.models import Invoice, InvoiceFile, InvoiceLine, LineKind
from billing_app.services import invoice_files
from billing_app.services.invoice_files import csv_of, html_of, make_pdf, pdf_of, rendered
from one_project.workflows.models import WorkItem
from tests.billing.sample_invoices import LINES, make_invoice
from tests.people import World

pytestmark = pytest.mark.django_db


def words_of(pdf: bytes) -> list[str]:
    """The text of each page, white space folded."""
    document = pypdfium2.PdfDocument(pdf)
    return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


def rows_of(invoice: Invoice) -> list[dict[str, str]]:
    text = b"".join(csv_of(invoice)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_html_pdf_and_csv_say_the_same_numbers(world: World) -> None:
    invoice = make_invoice(world.organisation, tax_percent="20")
    html = " ".join(strip_tags(html_of(invoice)).split())
    (pdf,) = words_of(pdf_of(invoice))
    for words in (html, pdf):
        for said in (
            "2026-000001", "Acme Ltd", "May 2026", "2 June 2026", "16 June 2026", "1,234,567",
            "$0.125", "123,456,789", "$10.00", "$1,234.57", "$1,236.11", "VAT 20%", "$247.22",
            "$1,483.33",
        ):  # fmt: skip
            assert said in words, said
    rows = rows_of(invoice)
    lines = [row for row in rows if row["kind"] == "usage"]
    sums = {row["kind"]: Decimal(row["amount"]) for row in rows if row["kind"] != "usage"}
    assert [(row["quantity"], row["amount"]) for row in lines] == [
        (str(line[2]), line[4]) for line in LINES
    ]
    assert sum(Decimal(row["amount"]) for row in lines) == sums["subtotal"] == invoice.subtotal
    assert (sums["tax"], sums["total"]) == (invoice.tax, invoice.total)


def test_the_pdf_of_an_invoice_is_made_once_and_always_the_same(world: World) -> None:
    invoice = make_invoice(world.organisation)
    first = pdf_of(invoice)
    assert bytes(InvoiceFile.objects.get().content) == first
    # What happens to it later does not change what was sent.
    Invoice.objects.update(status="void", reason="wrong")
    invoice.refresh_from_db()
    assert rendered(invoice) == first
    Invoice.objects.filter(pk=invoice.pk).update(meta={"x": 1})
    assert pdf_of(invoice) == first


def test_a_draft_is_marked_and_not_kept(world: World) -> None:
    draft = make_invoice(world.organisation, is_final=False)
    assert "DRAFT" in words_of(pdf_of(draft))[0]
    assert not InvoiceFile.objects.exists()


def test_names_in_other_directions_and_pictures(world: World) -> None:
    invoice = make_invoice(world.organisation, name="شركة المثال 🚀")
    (words,) = words_of(pdf_of(invoice))
    # Shaped or in reading order: how a reader gets letters back is its own business.
    assert re.search(r"[\u0600-\u06ff\ufb50-\ufeff]", words)
    assert "Total $1,236.11" in words


def test_many_lines_break_between_rows_and_repeat_their_heads(world: World) -> None:
    lines = [(f"model-{n}", "input", 1_000_000, "0.07", "0.07") for n in range(200)]
    pages = words_of(pdf_of(make_invoice(world.organisation, lines=lines)))
    assert len(pages) > 3
    for number, words in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in words
        if "model-" in words:
            assert "Price per million" in words
    together = " ".join(pages)
    assert all(f"model-{n}, input tokens" in together for n in range(200))
    assert "Total $14.00" in together


def test_adjustments_and_credits_say_what_they_are(world: World) -> None:
    invoice = make_invoice(world.organisation, is_final=False)
    common: dict[str, Any] = {"organisation": world.organisation, "invoice": invoice}
    InvoiceLine.objects.create(
        **common, position=4, kind=LineKind.ADJUSTMENT, period=date(2026, 4, 1),
        description="April 2026 adjustments: gpt-5.1", quantity=-10, unit_price=Decimal(2),
        exact=Decimal("-0.00002"), amount=Decimal("-2.00"), is_estimated=True,
    )  # fmt: skip
    html = html_of(invoice)
    assert "April 2026 adjustments: gpt-5.1 estimated" in " ".join(strip_tags(html).split())
    assert "-$2.00" in html
    # A number stays one, though it begins with what a formula may begin with.
    assert rows_of(invoice)[3]["amount"] == "-2.00"
    credited = make_invoice(
        world.organisation, kind="credit_note", credits=make_invoice(world.elsewhere, number=7),
        lines=[("", "", 0, "0", "-5.00")], reason="Wrong price", number=3,
    )  # fmt: skip
    words = " ".join(strip_tags(html_of(credited)).split())
    for said in ("Credit note CN-2026-000003", "2026-000007", "Wrong price", "Total -$5.00"):
        assert said in words


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\tx", "\rx", " =1"])
def test_no_text_of_a_csv_is_a_formula(world: World, name: str) -> None:
    invoice = make_invoice(world.organisation, lines=[(name, "input", 1, "1", "0.00")])
    assert rows_of(invoice)[0]["model"] == f"'{name}"


def test_a_pdf_opens_no_files_and_no_addresses(world: World) -> None:
    from weasyprint.urls import URLFetcher

    fetcher = URLFetcher(allowed_protocols=["data"])
    for url in ("file:///etc/hostname", "http://169.254.169.254/", "http://127.0.0.1:9/"):
        with pytest.raises(Exception, match=r"(?i)protocol|refused|forbidden|not allowed"):
            fetcher.fetch(url)
    evil = '<img src="http://127.0.0.1:9/x"><style>@import "file:///etc/hostname"</style>'
    (words,) = words_of(pdf_of(make_invoice(world.organisation, name=evil)))
    assert "<img" in words


def test_without_its_libraries_the_page_is_offered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a machine without Pango does: the import itself fails."""
    import builtins

    held = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return held(name, *args, **kwargs)

    invoice = make_invoice(world.organisation)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(PdfUnavailable):
        pdf_of(invoice)
    assert make_pdf.function(invoice.pk) == "unavailable"
    assert not InvoiceFile.objects.exists()


def test_only_so_many_are_made_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = make_invoice(world.organisation, lines=LINES[:1])
    monkeypatch.setattr(invoice_files, "WAIT", 0.01)
    with invoice_files._turns, invoice_files._turns:
        with pytest.raises(PdfBusy):
            pdf_of(invoice)
        with pytest.raises(PdfBusy):  # a worker tries again
            make_pdf.function(invoice.pk)
    assert make_pdf.function(invoice.pk) == "kept"


def test_a_draft_of_very_many_lines_is_not_drawn_for_each_asker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoice_files, "MOST_OF_DRAFT", 2)
    draft = make_invoice(world.organisation, is_final=False)
    with pytest.raises(PdfUnavailable) as raised:
        pdf_of(draft)
    assert "CSV" in raised.value.user_message
    assert pdf_of(make_invoice(world.organisation, world.bob.pk))


def test_finalising_has_the_pdf_made_once(world: World) -> None:
    invoice = make_invoice(world.organisation)
    invoice_files.follow(invoice, "finalised")
    invoice_files.follow(invoice, "paid")
    (work,) = WorkItem.objects.filter(function="billing.invoice_pdf")
    assert work.organisation_id == world.organisation.pk
    assert [make_pdf.function(invoice.pk) for _ in range(2)] == ["kept", "kept"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sha256 = encode(sha256(content), 'hex') FROM billing_app_invoicefile"
        )
        assert cursor.fetchall() == [(True,)]
