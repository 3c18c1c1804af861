"""PDFs, page by page, by PDFium. Headings come from the outline, else from larger letters."""

import ctypes
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import pypdfium2
from pypdfium2 import raw

from agents_app.knowledge.bounds import Budget
from agents_app.knowledge.failures import failed
from agents_app.knowledge.media import MediaKind
from agents_app.knowledge.parsed import ParsedDocument, ParsedPage
from agents_app.knowledge.pdf_lines import Line, page_of

_NEEDS_PASSWORD: Final = raw.FPDF_ERR_PASSWORD
_MAX_OUTLINE: Final = 5_000
# A heading is at least so much larger than the letters of the text.
_LARGER: Final = 1.15
_LEVELS: Final = 4


def parse(
    data: bytes, media: MediaKind, budget: Budget, on_page: Callable[[int, int], None]
) -> ParsedDocument:
    """All pages with their real numbers. Raises ParseFailed."""
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", None) == _NEEDS_PASSWORD
        raise failed("password" if locked else "damaged", detail=str(error)) from error
    total = len(pdf)
    if total == 0:
        raise failed("damaged", detail="no pages")
    budget.pages(total)
    read: list[list[Line]] = []
    unreadable: list[int] = []
    for number in range(total):
        try:
            read.append(_lines(pdf, number, budget))
        except pypdfium2.PdfiumError:
            read.append([])
            unreadable.append(number + 1)
        on_page(number + 1, total)
    outline = _outline(pdf)
    level_of = {} if outline else _levels(read)
    pages = tuple(
        page_of(number, lines, outline.get(number, ()), level_of)
        for number, lines in enumerate(read, start=1)
    )
    title = str(pdf.get_metadata_value("Title") or "")
    return ParsedDocument(title, media.value, pages, _warnings(pages, unreadable))


def _warnings(pages: Sequence[ParsedPage], unreadable: Sequence[int]) -> tuple[str, ...]:
    """Raises ParseFailed where no page has text."""
    numbers = [page.number or 0 for page in pages if not page.text]
    if len(numbers) == len(pages):
        raise failed("damaged" if len(unreadable) == len(pages) else "scanned")
    silent = [number for number in numbers if number not in set(unreadable)]
    warnings = []
    if silent:
        warnings.append(f"No text on {_ranges(silent)}: empty, or a picture (scanned?).")
    if unreadable:
        warnings.append(f"Damaged: {_ranges(unreadable)}.")
    return tuple(warnings)


def _ranges(numbers: Sequence[int]) -> str:
    """``page 3``, or ``pages 3, 7-9``; the first twenty ranges."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    parts = [f"{first}" if first == last else f"{first}-{last}" for first, last in runs]
    more = " and more" if len(parts) > 20 else ""
    return ("page " if len(numbers) == 1 else "pages ") + ", ".join(parts[:20]) + more


def _lines(pdf: Any, number: int, budget: Budget) -> list[Line]:
    page = pdf[number]
    try:
        text_page = page.get_textpage()
        try:
            count = text_page.count_chars()
            budget.text(count)
            text = text_page.get_text_range() if count > 0 else ""
            return _measured(text_page.raw, text, count)
        finally:
            text_page.close()
    finally:
        page.close()


def _measured(handle: Any, text: str, count: int) -> list[Line]:
    """The lines with size and height of their first letter: one look per line is cheap."""
    # Letters beyond 16 bits shift the numbers; then the geometry is left out.
    is_measurable = len(text) == count
    across, up = ctypes.c_double(), ctypes.c_double()
    lines, place = [], 0
    for raw_line in text.split("\n"):
        size = height = 0.0
        first = place + len(raw_line) - len(raw_line.lstrip())
        if is_measurable and raw_line.strip():
            size = round(float(raw.FPDFText_GetFontSize(handle, first)), 1)
            if raw.FPDFText_GetCharOrigin(handle, first, across, up):
                height = up.value
        lines.append(Line(raw_line, size, height))
        place += len(raw_line) + 1
    return lines


def _outline(pdf: Any) -> dict[int, list[tuple[int, str]]]:
    """Bookmarks by page number: level and title; nothing where there are fewer than three."""
    found: dict[int, list[tuple[int, str]]] = {}
    count = 0
    try:
        for item in pdf.get_toc(max_depth=9):
            count += 1
            if count > _MAX_OUTLINE:
                break
            target = item.get_dest()
            index = target.get_index() if target is not None else None
            title = item.get_title()
            if index is not None and title:
                found.setdefault(index + 1, []).append((item.level + 1, title))
    except pypdfium2.PdfiumError:
        return {}
    return found if count >= 3 else {}


def _levels(pages: Sequence[Sequence[Line]]) -> dict[float, int]:
    """Which sizes of letters are headings, and of which level; the largest is 1."""
    amount: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            amount[line.size] += len(line.text)
    amount.pop(0.0, None)
    if len(amount) < 2:
        return {}
    body = amount.most_common(1)[0][0]
    # What fills pages is no heading, whatever its size.
    share = 0.15 * amount.total()
    sizes = [size for size, chars in amount.items() if size >= body * _LARGER and chars <= share]
    return {size: min(rank, _LEVELS) for rank, size in enumerate(sorted(sizes)[::-1], start=1)}
