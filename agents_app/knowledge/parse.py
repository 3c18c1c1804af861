"""One door to all parsers. Only the sandbox's child calls it for files of strangers."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Final

from agents_app.knowledge.bounds import Budget, ParseLimits
from agents_app.knowledge.failures import failed
from agents_app.knowledge.media import MediaKind
from agents_app.knowledge.parsed import MAX_TITLE, ParsedDocument
from one_project.common.text import clean_line

OnPage = Callable[[int, int], None]
"""Called with pages done and pages in all."""
Parser = Callable[[bytes, MediaKind, Budget, OnPage], ParsedDocument]

# Loaded when one is needed: the libraries are large.
_PARSERS: Final = {
    MediaKind.PDF: "parse_pdf",
    MediaKind.DOCX: "parse_docx",
    MediaKind.PPTX: "parse_slides",
    MediaKind.XLSX: "parse_sheets",
    MediaKind.CSV: "parse_sheets",
    MediaKind.HTML: "parse_text",
    MediaKind.MARKDOWN: "parse_text",
    MediaKind.TEXT: "parse_text",
    MediaKind.EMAIL: "parse_mail",
}


def parser_of(media: MediaKind) -> Parser:
    """The function that reads this kind, its libraries loaded. Raises ParseFailed for pictures."""
    if media.is_image:
        raise failed("image")
    parser: Parser = import_module(f"agents_app.knowledge.{_PARSERS[media]}").parse
    return parser


def parse(
    data: bytes,
    media: MediaKind,
    limits: ParseLimits | None = None,
    on_page: OnPage | None = None,
) -> ParsedDocument:
    """The text of a file of this kind, at least one page of it not empty.

    Raises ParseFailed; and whatever a library raises for a file it does not understand.
    """
    read = parser_of(media)
    document = read(data, media, Budget(limits or ParseLimits()), on_page or _nobody)
    if not any(page.text.strip() for page in document.pages):
        raise failed("no_text")
    return replace(
        document,
        title=clean_line(document.title, MAX_TITLE),
        warnings=tuple(clean_line(text, 500) for text in document.warnings),
    )


def _nobody(done: int, total: int) -> None:
    """Nobody wants to know."""
