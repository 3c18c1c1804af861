"""A document as text: pages with their headings. Plain values, also as JSON."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from one_project.common.text import clean_line, clean_text

MAX_TITLE = 300
MAX_HEADING = 200
MAX_WARNINGS = 20


class Heading(NamedTuple):
    """offset: where its line begins in the page's text. level: 1 to 9, 1 is the outermost."""

    offset: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """number: of the page, slide or sheet, from 1; None where the format has no pages."""

    number: int | None
    text: str
    headings: tuple[Heading, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """title: what the document calls itself, may be empty. media_type: a MediaKind's value.

    A format without pages has exactly one page, numbered None. Pages are in order and never
    share a number; a page without text is kept, empty.
    """

    title: str
    media_type: str
    pages: tuple[ParsedPage, ...]
    warnings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain lists and objects; ``from_json`` reads them."""
        return {
            "title": self.title,
            "media_type": self.media_type,
            "pages": [
                [page.number, page.text, [list(heading) for heading in page.headings]]
                for page in self.pages
            ],
            "warnings": self.warnings,
        }

    @classmethod
    def from_json(cls, value: Any) -> "ParsedDocument":
        """Trusts nothing. Raises ValueError where the shape is wrong."""
        try:
            pages = tuple(_page(*page) for page in value["pages"])
            return cls(
                title=clean_line(value["title"], MAX_TITLE),
                media_type=clean_line(value["media_type"], 100),
                pages=pages,
                warnings=tuple(clean_line(text, 500) for text in value["warnings"])[:MAX_WARNINGS],
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("not a parsed document") from error


def _page(number: Any, text: Any, headings: Any) -> ParsedPage:
    if not isinstance(text, str) or not isinstance(number, int | None) or clean_text(text) != text:
        raise ValueError("not a page")
    return ParsedPage(
        number,
        text,
        tuple(
            Heading(offset, level, clean_line(line, MAX_HEADING))
            for offset, level, line in headings
            if 0 <= offset < len(text) and 1 <= level <= 9
        ),
    )


class PageWriter:
    """Collects the lines of one page and remembers where the headings are."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._headings: list[Heading] = []
        self._size = 0

    @property
    def size(self) -> int:
        """Letters so far."""
        return self._size

    def line(self, text: str, level: int = 0) -> None:
        """One line, or several; of ``level`` above 0 a heading. Blank lines are kept."""
        text = clean_text(text).rstrip()
        if level and text:
            title = clean_line(text, MAX_HEADING)
            self._headings.append(Heading(self._size, max(1, min(level, 9)), title))
        self._lines.append(text)
        self._size += len(text) + 1

    def blank(self) -> None:
        """A blank line, unless there is one already or nothing above it."""
        if self._lines and self._lines[-1]:
            self.line("")

    def page(self, number: int | None = None) -> ParsedPage:
        """What was written."""
        return ParsedPage(number, "\n".join(self._lines).rstrip(), tuple(self._headings))
