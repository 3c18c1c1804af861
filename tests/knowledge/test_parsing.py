"""What people see in a document is what its text says, on the page where it stands."""

import pytest

from agents_app.knowledge.bounds import ParseLimits
from agents_app.knowledge.failures import ParseFailed
from agents_app.knowledge.media import MediaKind
from agents_app.knowledge.parse import parse
from agents_app.knowledge.parsed import ParsedDocument
from agents_app.knowledge.tables import row_lines
from benchmarks.sample_files import pdf_of
from tests.knowledge import samples


def _headings(page):
    """Each heading begins a line of the page."""
    for heading in page.headings:
        line = page.text[heading.offset :].split("\n")[0]
        assert heading.text in line
        assert heading.offset == 0 or page.text[heading.offset - 1] == "\n"
    return [(heading.level, heading.text) for heading in page.headings]


def test_pdf_keeps_pages_headings_and_whole_words():
    document = parse(samples.pdf(), MediaKind.PDF)

    assert [page.number for page in document.pages] == [1, 2, 3]
    assert _headings(document.pages[0]) == [(1, "Handbook")]
    assert "named after a river." in document.pages[0].text
    assert "examination is on Friday." in document.pages[0].text.replace("\n", " ")
    assert "(Größe 3)" in document.pages[1].text
    assert document.pages[2].text == ""
    assert "page 3" in document.warnings[0]


def test_pdf_parts_paragraphs_where_space_is_left():
    text = pdf_of(["First line.\nSecond line.\nThird line.\n\nAnother paragraph.\nIts end."])
    assert "Third line.\n\nAnother paragraph.\nIts end." in parse(text, MediaKind.PDF).pages[0].text


def test_outline_of_a_pdf_names_its_headings():
    titles = ((b"1 Start", 4), (b"1.1 Tools", 4), (b"2 End", 6))
    objects = b"90 0 obj\n<< /Type /Outlines /First 91 0 R /Last 93 0 R /Count 3 >>\nendobj\n"
    for number, (title, page) in enumerate(titles, start=91):
        objects += b"%d 0 obj\n<< /Title (%b) /Dest [%d 0 R /Fit]" % (number, title, page)
        objects += b" /Next %d 0 R" % (number + 1) if number < 93 else b""
        objects += b" /Parent 90 0 R >>\nendobj\n"
    data = pdf_of(["1. Start\nWords.\n1.1 Tools\nMore words.", "2. End\nLast words."])
    data = data.replace(b"/Type /Catalog", b"/Type /Catalog /Outlines 90 0 R")
    # The places in the table of contents are wrong now: PDFium finds the objects by itself.
    pages = parse(data.replace(b"xref\n0", objects + b"xref\n0"), MediaKind.PDF).pages

    assert _headings(pages[0]) == [(1, "1. Start"), (1, "1.1 Tools")]
    assert _headings(pages[1]) == [(1, "2. End")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (pdf_of(["", ""]), "scanned"),
        (samples.locked_pdf(), "password"),
        (pdf_of(["words"] * 9)[:900], "damaged"),
        (b"%PDF-1.7\nnothing", "damaged"),
    ],
)
def test_pdf_without_text_says_why(data, code):
    with pytest.raises(ParseFailed) as error:
        parse(data, MediaKind.PDF)
    assert error.value.code == code
    assert error.value.user_message


def test_too_many_pages_and_too_much_text_are_refused():
    with pytest.raises(ParseFailed, match="more than 3 pages"):
        parse(pdf_of(["a"] * 4), MediaKind.PDF, ParseLimits(pages=3))
    with pytest.raises(ParseFailed) as error:
        parse(samples.docx(), MediaKind.DOCX, ParseLimits(text_chars=50))
    assert error.value.code == "too_much_text"


def test_docx_has_headings_lists_and_tables_in_order():
    document = parse(samples.docx(), MediaKind.DOCX)
    page = document.pages[0]

    assert document.title == "House rules"
    assert page.number is None
    assert _headings(page) == [(1, "Kitchen"), (2, "Fridge")]
    assert "- Milk\n- Butter\n\nShelf | Owner\nTop | The treasurer\n\nAfter the table." in page.text


def test_pptx_has_a_page_per_slide_with_notes():
    document = parse(samples.pptx(), MediaKind.PPTX)

    assert [page.number for page in document.pages] == [1, 2]
    assert _headings(document.pages[1]) == [(1, "Budget")]
    assert "Plan body" in document.pages[0].text
    assert "Notes: Say this about Plan" in document.pages[0].text
    assert "Rent | 900" in document.pages[1].text


def test_xlsx_has_a_page_per_sheet_with_named_cells():
    document = parse(samples.xlsx(), MediaKind.XLSX)

    assert [page.number for page in document.pages] == [1, 2, 3]
    assert _headings(document.pages[0]) == [(1, "Rooms")]
    assert "Room: Blue | Seats: 12 | Since: 2024-05-01" in document.pages[0].text
    assert "Room: Red | Seats: 7.5" in document.pages[0].text
    assert document.pages[1].text == "Notes\n\nOnly a remark"
    assert document.pages[2].text == ""
    assert "Empty" in document.warnings[0]


def test_csv_rows_are_named_by_their_columns():
    page = parse(samples.csv(), MediaKind.CSV).pages[0]
    assert page.text == "name | amount\nname: rent | amount: 900\nname: water | amount: 30"
    assert list(row_lines([["1", "2"], [], ["3", ""]])) == ["1 | 2", "3"]


def test_markdown_keeps_its_text_and_headings_outside_code():
    document = parse(samples.markdown(), MediaKind.MARKDOWN)

    assert document.title == "Guide"
    assert document.pages[0].text == samples.markdown().decode()
    assert _headings(document.pages[0]) == [(1, "Guide"), (2, "Install"), (2, "Under")]


def test_html_keeps_what_people_read():
    document = parse(samples.html(), MediaKind.HTML)

    assert document.title == "Garden"
    assert _headings(document.pages[0]) == [(1, "Beans"), (2, "Water")]
    assert "Daily & early." in document.pages[0].text
    assert "menu" not in document.pages[0].text


def test_email_says_who_wrote_what_and_names_attachments():
    document = parse(samples.email(), MediaKind.EMAIL)
    text = document.pages[0].text

    assert document.title == "Grüße aus dem Garten"
    assert "From: Learner <learner@one.test>" in text
    assert "Attachments: beans.pdf\n\nThe beans are out." in text
    assert "<b>" not in text
    only_html = samples.email().replace(b"text/plain", b"text/x-other")
    assert "The beans are out." in parse(only_html, MediaKind.EMAIL).pages[0].text


def test_nothing_unstorable_leaves_a_parser():
    page = parse(b"a\0b\x01c\r\nd", MediaKind.TEXT).pages[0]
    assert page.text == "abc\nd"


def test_picture_has_no_text():
    with pytest.raises(ParseFailed) as error:
        parse(samples.PNG, MediaKind.PNG)
    assert error.value.code == "image"


@pytest.mark.parametrize("kind", samples.ALL)
def test_document_survives_json(kind):
    document = parse(samples.ALL[kind](), kind)
    assert ParsedDocument.from_json(document.as_json()) == document


@pytest.mark.parametrize(
    "value",
    [None, [], {}, {"title": "", "media_type": "", "warnings": [], "pages": [[1, "a\0", []]]}],
)
def test_what_is_no_document_is_refused(value):
    with pytest.raises(ValueError):
        ParsedDocument.from_json(value)
