"""Plain text, Markdown and HTML: one page without a number, with its headings."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from agents_app.knowledge.bounds import Budget
from agents_app.knowledge.encoding import decode
from agents_app.knowledge.media import MediaKind
from agents_app.knowledge.parsed import MAX_HEADING, Heading, ParsedDocument, ParsedPage
from integrations_app.providers.page_text import read_page
from one_project.common.text import clean_line, clean_text

_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.{0,500})")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE: Final = re.compile(r" {0,3}(```|~~~)")
_NOT_UNDER: Final = re.compile(r"[ \t]*(?:[-*+>|#]|\d+[.)] |$)")
_FRONT_TITLE: Final = re.compile(r"---\n(?:[^\n]{0,500}\n){0,50}?title:[ \t]*([^\n]{1,300})")


def parse(
    data: bytes, media: MediaKind, budget: Budget, on_page: Callable[[int, int], None]
) -> ParsedDocument:
    """The text as it is; of HTML the part that people read. Raises ParseFailed."""
    text = clean_text(decode(data))
    title, warnings = "", ()
    if media is MediaKind.HTML:
        title, text = html_text(text, budget)
    budget.text(len(text))
    headings: tuple[Heading, ...] = ()
    if media is not MediaKind.TEXT:
        headings = tuple(headings_of(text))
    if media is MediaKind.MARKDOWN:
        front = _FRONT_TITLE.match(text)
        first = next((one.text for one in headings if one.level == 1), "")
        title = front[1].strip(" \"'") if front else first
    on_page(1, 1)
    return ParsedDocument(title, media.value, (ParsedPage(None, text, headings),), warnings)


def html_text(html: str, budget: Budget) -> tuple[str, str]:
    """Title and text of a page; its headings are lines that begin with ``#``.

    Raises ParseFailed.
    """
    page = read_page(html, budget.limits.text_chars)
    if page.is_cut:
        raise budget.limits.failed("too_much_text")
    return page.title, clean_text(page.text)


def headings_of(text: str) -> Iterator[Heading]:
    """The headings of Markdown, in order, with ``#`` or underlined; none in code blocks."""
    offset, above, fence = 0, "", ""
    # Not splitlines: that parts lines at more than newlines.
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and (not fence or fence == mark[1]):
            fence = "" if fence else mark[1]
        elif not fence:
            found = _HEADING.match(line)
            if found:
                title = clean_line(found[2].rstrip("# \t") or found[2], MAX_HEADING)
                yield Heading(offset, len(found[1]), title)
            under = _UNDERLINE.match(line)
            if under and len(above) <= 200 and not _NOT_UNDER.match(above):
                level = 1 if under[1][0] == "=" else 2
                yield Heading(offset - len(above) - 1, level, clean_line(above, MAX_HEADING))
        above = line
        offset += len(line) + 1
