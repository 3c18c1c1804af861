"""Word files: paragraphs, lists and tables in their order, headings by their styles."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from docx import Document
from docx.oxml.ns import qn

from agents_app.knowledge.archives import safe_office_file
from agents_app.knowledge.bounds import Budget
from agents_app.knowledge.media import MediaKind
from agents_app.knowledge.parsed import PageWriter, ParsedDocument
from agents_app.knowledge.tables import SEPARATOR
from one_project.common.text import clean_line

_VALUE: Final = qn("w:val")
_TEXT, _PARAGRAPH, _TABLE = qn("w:t"), qn("w:p"), qn("w:tbl")
_ROW, _CELL = qn("w:tr"), qn("w:tc")
_LETTERS: Final = {
    qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-",
}  # fmt: skip
# Said twice (the same for older readers), taken out, or only about looks.
_SKIPPED: Final = frozenset(
    (
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
        qn("w:del"), qn("w:moveFrom"), qn("w:pPr"), qn("w:rPr"), qn("w:sectPr"), qn("w:tblPr"),
        qn("w:instrText"),
    )
)  # fmt: skip
_NO_LEVEL: Final = 9  # Word's outline levels are 0 to 8, 9 is the text
_TITLE_STYLE: Final = -1


def parse(
    data: bytes, media: MediaKind, budget: Budget, on_page: Callable[[int, int], None]
) -> ParsedDocument:
    """One page without a number: where pages break is known to Word only. Raises ParseFailed."""
    document = Document(safe_office_file(data, budget.limits))
    levels = _levels(document)
    writer = PageWriter()
    title = ""
    was_list = False
    for element in _blocks(document.element.body):
        before = writer.size
        if element.tag == _TABLE:
            _write_table(element, writer)
            was_list = False
        else:
            text = _paragraph(element)
            level, is_list = _looks(element, levels)
            if level == _TITLE_STYLE and text.strip():
                title = title or clean_line(text, 300)
            was_list = _write(writer, text, max(level, 0), is_list=is_list, was_list=was_list)
        budget.text(writer.size - before)
    on_page(1, 1)
    title = title or document.core_properties.title or ""
    return ParsedDocument(title, media.value, (writer.page(),))


def _write(writer: PageWriter, text: str, level: int, *, is_list: bool, was_list: bool) -> bool:
    """A paragraph; whether it belongs to a list, where no blank line is between two."""
    if not text.strip():
        return was_list
    if not (is_list and was_list):
        writer.blank()
    writer.line(f"- {text.strip()}" if is_list and not level else text.strip("\n"), level)
    return is_list


def _write_table(table: Any, writer: PageWriter) -> None:
    writer.blank()
    for row in table.iter(_ROW):
        # Rows of a table within a cell are part of that cell's text.
        if next(row.iterancestors(_TABLE)) is not table:
            continue
        cells = [
            clean_line(" ".join(map(_paragraph, cell.iter(_PARAGRAPH))), 5_000)
            for cell in row.iterchildren(_CELL)
        ]
        if any(cells):
            writer.line(SEPARATOR.join(cells))
    writer.blank()


def _blocks(body: Any) -> Iterator[Any]:
    """Paragraphs and tables, also those within content controls and tracked insertions."""
    waiting = [body.iterchildren()]
    while waiting:
        element = next(waiting[-1], None)
        if element is None:
            waiting.pop()
        elif element.tag in (_PARAGRAPH, _TABLE):
            yield element
        elif element.tag not in _SKIPPED:
            waiting.append(element.iterchildren())


def _paragraph(element: Any) -> str:
    """Its letters, in order; by hand, as texts in links, fields and insertions count as well."""
    pieces: list[str] = []
    waiting = [element.iterchildren()]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
        elif child.tag == _TEXT:
            pieces.append(child.text or "")
        elif child.tag in _LETTERS:
            pieces.append(_LETTERS[child.tag])
        elif child.tag not in _SKIPPED:
            waiting.append(child.iterchildren())
    return "".join(pieces)


def _looks(paragraph: Any, levels: dict[str, tuple[int, bool]]) -> tuple[int, bool]:
    """Level of a heading (0: none, -1: the title), and whether it is in a list."""
    properties = paragraph.find(qn("w:pPr"))
    if properties is None:
        return 0, False
    style = properties.find(qn("w:pStyle"))
    level, is_list = levels.get(style.get(_VALUE) if style is not None else "", (0, False))
    own = _outline_level(properties)
    return own or level, is_list or properties.find(qn("w:numPr")) is not None


def _outline_level(properties: Any) -> int:
    mark = properties.find(qn("w:outlineLvl")) if properties is not None else None
    value = mark.get(_VALUE, "") if mark is not None else ""
    return int(value) + 1 if value.isdecimal() and int(value) < _NO_LEVEL else 0


def _levels(document: Any) -> dict[str, tuple[int, bool]]:
    """By the id of a style: its level and whether it makes a list, also as it inherits them."""
    found: dict[str, tuple[int, bool, str]] = {}
    for style in document.styles.element.iterchildren(qn("w:style")):
        name = style.find(qn("w:name"))
        based = style.find(qn("w:basedOn"))
        label = (name.get(_VALUE) or "").lower() if name is not None else ""
        level = _outline_level(style.find(qn("w:pPr")))
        if label.startswith("heading ") and label[8:].isdecimal():
            level = max(1, min(int(label[8:]), 9))
        elif label == "title":
            level = _TITLE_STYLE
        parent = based.get(_VALUE, "") if based is not None else ""
        found[style.get(qn("w:styleId")) or ""] = (level, label.startswith("list "), parent)
    return {one: _inherited(one, found) for one in found}


def _inherited(style: str, found: dict[str, tuple[int, bool, str]]) -> tuple[int, bool]:
    level, is_list = 0, False
    # A style may be based on itself in a broken file.
    for _ in range(10):
        if style not in found or level:
            break
        own, own_list, style = found[style]
        level, is_list = own, is_list or own_list
    return level, is_list
