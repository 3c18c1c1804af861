"""PowerPoint files: a page per slide with its title, texts, tables and notes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from pptx import Presentation

from agents_app.knowledge.archives import safe_office_file
from agents_app.knowledge.bounds import Budget
from agents_app.knowledge.media import MediaKind
from agents_app.knowledge.parsed import PageWriter, ParsedDocument, ParsedPage
from agents_app.knowledge.tables import SEPARATOR
from one_project.common.text import clean_line

_MAX_NESTING: Final = 20


def parse(
    data: bytes, media: MediaKind, budget: Budget, on_page: Callable[[int, int], None]
) -> ParsedDocument:
    """Raises ParseFailed, and what python-pptx raises for a file without its parts."""
    show = Presentation(safe_office_file(data, budget.limits))
    slides = show.slides
    total = len(slides)
    budget.pages(total)
    pages = []
    for number, slide in enumerate(slides, start=1):
        page = _page(slide, number)
        budget.text(len(page.text))
        pages.append(page)
        on_page(number, total)
    return ParsedDocument(show.core_properties.title or "", media.value, tuple(pages))


def _page(slide: Any, number: int) -> ParsedPage:
    writer = PageWriter()
    title = slide.shapes.title
    name = clean_line(title.text_frame.text, 200) if title is not None else ""
    if name:
        writer.line(name, level=1)
    title_id = title.shape_id if title is not None else None
    for shape in _shapes(slide.shapes):
        if shape.shape_id == title_id:
            continue
        lines = list(_lines(shape))
        if lines:
            writer.blank()
        for line in lines:
            writer.line(line)
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    if notes is not None and notes.text.strip():
        writer.blank()
        writer.line("Notes: " + notes.text.strip().replace("\v", "\n"))
    return writer.page(number)


def _shapes(shapes: Iterable[Any], depth: int = 0) -> Iterator[Any]:
    """All shapes, also those in groups."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            if depth < _MAX_NESTING:
                yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _lines(shape: Any) -> Iterator[str]:
    if getattr(shape, "has_table", False):
        for row in shape.table.rows:
            cells = [clean_line(cell.text, 2_000) for cell in row.cells]
            if any(cells):
                yield SEPARATOR.join(cells)
    elif shape.has_text_frame:
        for paragraph in shape.text_frame.paragraphs:
            text = paragraph.text.replace("\v", "\n").strip()
            if text:
                yield ("- " if paragraph.level else "") + text
