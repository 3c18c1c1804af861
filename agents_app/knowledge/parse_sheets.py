"""Excel files, a page per sheet, and CSV: each row is a line."""

import csv
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any, Final

from openpyxl.reader.excel import ExcelReader

from agents_app.knowledge.archives import safe_office_file
from agents_app.knowledge.bounds import Budget
from agents_app.knowledge.encoding import decode
from agents_app.knowledge.failures import failed
from agents_app.knowledge.media import MediaKind, delimiter_of
from agents_app.knowledge.parsed import PageWriter, ParsedDocument, ParsedPage
from agents_app.knowledge.tables import row_lines
from one_project.common.text import clean_line, clean_text

_MAX_FIELD: Final = 1_000_000


def parse(
    data: bytes, media: MediaKind, budget: Budget, on_page: Callable[[int, int], None]
) -> ParsedDocument:
    """Raises ParseFailed."""
    if media is MediaKind.CSV:
        page = _page(_csv_rows(clean_text(decode(data))), budget, None, "")
        on_page(1, 1)
        return ParsedDocument("", media.value, (page,))
    return _workbook(data, media, budget, on_page)


def _workbook(
    data: bytes, media: MediaKind, budget: Budget, on_page: Callable[[int, int], None]
) -> ParsedDocument:
    book = _opened(safe_office_file(data, budget.limits))
    sheets = book.worksheets
    budget.pages(len(sheets))
    pages, hidden = [], []
    for number, sheet in enumerate(sheets, start=1):
        # What a sheet says of its own size may be far from the truth.
        sheet.reset_dimensions()
        title = clean_line(sheet.title, 200)
        if sheet.sheet_state != "visible":
            hidden.append(title)
        pages.append(_page(sheet.iter_rows(values_only=True), budget, number, title))
        on_page(number, len(sheets))
    warnings = (f"Hidden sheets were read as well: {', '.join(hidden)}.",) if hidden else ()
    return ParsedDocument(book.properties.title or "", media.value, tuple(pages), warnings)


def _opened(file: BytesIO) -> Any:
    """The workbook; raises what openpyxl raises for a file that it does not understand."""
    # data_only: formulas give the value that was computed when the file was saved.
    reader = ExcelReader(
        file, read_only=True, keep_vba=False, data_only=True, keep_links=False, rich_text=False
    )
    # Sheets that are one chart have no cells, and some of them are too much for the library.
    reader.read_chartsheet = lambda *_: None
    reader.read()
    return reader.wb


def _page(
    rows: Iterator[Sequence[Any]], budget: Budget, number: int | None, title: str
) -> ParsedPage:
    writer = PageWriter()
    lines = row_lines(rows)
    first = next(lines, "")
    if first and title:
        writer.line(title, level=1)
        writer.blank()
    writer.line(first)
    for line in lines:
        budget.text(len(line) + 1)
        writer.line(line)
    return writer.page(number)


def _csv_rows(text: str) -> Iterator[Sequence[str]]:
    """Raises ParseFailed for what only looks like CSV."""
    csv.field_size_limit(_MAX_FIELD)
    lines = text.split("\n")
    delimiter = delimiter_of("\n".join(lines[:60])) or _commonest(lines[:20])
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter)
    try:
        yield from reader
    except csv.Error as error:
        raise failed("damaged", detail=str(error)) from error


def _commonest(lines: Sequence[str]) -> str:
    head = "\n".join(line[:2000] for line in lines)
    return max(",;\t|", key=head.count)
