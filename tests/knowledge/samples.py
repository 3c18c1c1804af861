"""Real files of every kind that is read, and some that mean harm."""

import datetime
import io
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from functools import cache

from docx import Document
from openpyxl import Workbook
from pptx import Presentation

from agents_app.knowledge.media import MediaKind
from benchmarks.sample_files import pdf_of

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@cache
def pdf() -> bytes:
    first = (
        "# Handbook\nEvery new machine is named after a river.\nThe exami-\nnation is on Friday."
    )
    return pdf_of([first, "# Travel\nTrains are booked by the office. (Größe 3)", ""])


@cache
def docx() -> bytes:
    document = Document()
    document.core_properties.title = "Core title"
    document.add_heading("House rules", level=0)
    document.add_heading("Kitchen", level=1)
    document.add_paragraph("Cups go into the machine.")
    document.add_heading("Fridge", level=2)
    document.add_paragraph("Milk", style="List Bullet")
    document.add_paragraph("Butter", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for row, texts in zip(table.rows, (("Shelf", "Owner"), ("Top", "The treasurer")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.add_paragraph("After the table.")
    return _saved(document)


@cache
def pptx() -> bytes:
    show = Presentation()
    for title in ("Plan", "Budget"):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = f"{title} body"
        slide.notes_slide.notes_text_frame.text = f"Say this about {title}"
    table = show.slides[1].shapes.add_table(1, 2, 0, 0, 100, 100).table
    table.cell(0, 0).text, table.cell(0, 1).text = "Rent", "900"
    return _saved(show)


@cache
def xlsx() -> bytes:
    book = Workbook()
    sheet = book.active
    sheet.title = "Rooms"
    sheet.append(["Room", "Seats", "Since"])
    sheet.append(["Blue", 12, datetime.date(2024, 5, 1)])
    sheet.append(["Red", 7.5, None])
    other = book.create_sheet("Notes")
    other["B3"] = "Only a remark"
    book.create_sheet("Empty").sheet_state = "hidden"
    book.create_chartsheet("Chart")
    return _saved(book)


@cache
def email() -> bytes:
    message = EmailMessage()
    message["From"] = "Learner <learner@one.test>"
    message["To"] = "staff@one.test"
    message["Subject"] = "Grüße aus dem Garten"
    message["Date"] = datetime.datetime(2026, 3, 1, 9, 0, tzinfo=datetime.UTC)
    message.set_content("The beans are out.")
    message.add_alternative("<p>The <b>beans</b> are out.</p>", subtype="html")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="beans.pdf")
    return bytes(message)


def html() -> bytes:
    return (
        b"<!doctype html><title>Garden</title><nav>menu</nav><h1>Beans</h1><p>They climb.</p>"
        b"<h2>Water</h2><p>Daily &amp; early.</p>"
    )


def csv() -> bytes:
    return b"name;amount\nrent;900\nwater;30\n"


def markdown() -> bytes:
    return (
        b"# Guide\n\nIntro.\n\n## Install\n\n```sh\n# no heading\n```\n\n"
        b"Run **it**.\n\nUnder\n---\n"
    )


def text() -> bytes:
    return b"Just a line of words.\nAnd another one, with a comma.\n"


ALL: dict[MediaKind, Callable[[], bytes]] = {
    MediaKind.PDF: pdf,
    MediaKind.DOCX: docx,
    MediaKind.PPTX: pptx,
    MediaKind.XLSX: xlsx,
    MediaKind.EMAIL: email,
    MediaKind.HTML: html,
    MediaKind.CSV: csv,
    MediaKind.MARKDOWN: markdown,
    MediaKind.TEXT: text,
}


def locked_pdf() -> bytes:
    """Its password is not the empty one; nobody knows which."""
    lock = (
        b"/Root 1 0 R /ID [<00><00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4"
        b" /O <" + b"11" * 32 + b"> /U <" + b"22" * 32 + b"> >>"
    )
    return pdf_of(["secret"]).replace(b"/Root 1 0 R", lock)


def changed(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The same zip with one part changed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.namelist():
            part = old.read(entry)
            new.writestr(entry, change(part) if entry == name else part)
    return out.getvalue()


def zip_of(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def _saved(thing) -> bytes:
    out = io.BytesIO()
    thing.save(out)
    return out.getvalue()
