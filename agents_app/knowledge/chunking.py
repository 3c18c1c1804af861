"""Cuts a document into pieces that are found and quoted one by one. Pure, in linear time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from agents_app.knowledge.parsed import ParsedDocument, ParsedPage
from one_project.common.text import clean_line

TARGET: Final = 800
MAXIMUM: Final = 1000
OVERLAP: Final = 100
MAX_PATH: Final = 300
MAX_EMBEDDED: Final = 1_500
_PATH_MARK: Final = " > "

_SOLID: Final = re.compile(r"\S")
_BLANK_LINE: Final = re.compile(r"\n[ \t]*\n")
_LINE: Final = re.compile(r"\n")
# A line that says something whole: a sentence's end above, or a list's or table's next line.
_WHOLE_LINE: Final = re.compile(r"(?<=[.!?:;|])\n|\n(?=[ \t]*(?:[-*+•] |\d{1,3}[.)] ))")
_SENTENCE: Final = re.compile(r"[.!?…][\"'”’)\]]{0,3}\s|[。！？]")
_SPACE: Final = re.compile(r"\s")
_FENCE: Final = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)
_ROW: Final = re.compile(r"^(?:[ \t]{2,}\S|.{0,400}?(?:\t| \| )|\|)", re.MULTILINE)
# From the best place to cut to the worst.
_PROSE: Final = (_BLANK_LINE, _WHOLE_LINE, _SENTENCE, _LINE, _SPACE)
_ROWS: Final = (_BLANK_LINE, _LINE, _SENTENCE, _SPACE)


@dataclass(frozen=True, slots=True)
class TextChunk:
    """A piece of one page: ``page.text[char_start:char_end] == text``, never blank.

    seq: from 0, over the whole document. page: the page's number, None where it has none.
    heading: the path of headings it stands under, e.g. ``Guide > Install``; may be empty.
    """

    seq: int
    page: int | None
    char_start: int
    char_end: int
    heading: str
    text: str


class _Section(NamedTuple):
    start: int
    end: int
    path: str


def chunk(
    document: ParsedDocument,
    *,
    target: int = TARGET,
    maximum: int = MAXIMUM,
    overlap: int = OVERLAP,
) -> list[TextChunk]:
    """Pieces of about ``target`` letters, ``maximum`` at most, none across two pages.

    Cut at headings, then paragraphs, sentences, words. Two of the same section share up to
    ``overlap`` letters. Raises ValueError for sizes that do not go together.
    """
    if not 0 < target <= maximum or overlap < 0 or 4 * overlap >= min(target, maximum // 2):
        raise ValueError("need target <= maximum, and overlap less than a quarter of them")
    chunks: list[TextChunk] = []
    path: list[tuple[int, str]] = []
    for page in document.pages:
        for section in _sections(page, path):
            for start, end in _spans(page.text, section, target, maximum, overlap):
                chunks.append(
                    TextChunk(
                        len(chunks), page.number, start, end, section.path, page.text[start:end]
                    )
                )
    return chunks


def embedding_text(title: str, heading: str, text: str) -> str:
    """What gets a vector: the piece below the names of what it is part of, MAX_EMBEDDED at most."""
    title = clean_line(title, 200)
    heading = clean_line(heading, MAX_PATH)
    if title and (heading == title or heading.startswith(title + _PATH_MARK)):
        title = ""
    above = _PATH_MARK.join(part for part in (title, heading) if part)
    return (f"{above}\n\n{text}" if above else text)[:MAX_EMBEDDED]


def _sections(page: ParsedPage, path: list[tuple[int, str]]) -> Iterator[_Section]:
    """What stands between headings. ``path`` goes on from page to page and is changed here."""
    start, named = 0, _path(path)
    offsets = sorted(one for one in page.headings if 0 <= one.offset < len(page.text))
    for heading in offsets:
        # A heading with nothing below it but the next one goes with that.
        if not _is_bare(page.text, start, heading.offset, path):
            yield _Section(start, heading.offset, named)
            start = heading.offset
        while path and path[-1][0] >= heading.level:
            path.pop()
        path.append((heading.level, heading.text))
        named = _path(path)
    yield _Section(start, len(page.text), named)


def _is_bare(text: str, start: int, end: int, path: list[tuple[int, str]]) -> bool:
    """Nothing at all, or only the line of the heading that came before."""
    if end - start > 4 * MAX_PATH:
        return False
    section = text[start:end].strip()
    return not section or ("\n" not in section and bool(path) and path[-1][1] in section)


def _path(path: list[tuple[int, str]]) -> str:
    """The innermost headings that fit."""
    named = ""
    for _, heading in reversed(path):
        longer = f"{heading}{_PATH_MARK}{named}" if named else heading
        if len(longer) > MAX_PATH:
            break
        named = longer
    return named


def _spans(
    text: str, section: _Section, target: int, maximum: int, overlap: int
) -> Iterator[tuple[int, int]]:
    """Where the pieces of a section begin and end, without blanks around them."""
    place = _solid(text, section.start, section.end)
    end = section.start + len(text[section.start : section.end].rstrip())
    in_fence, counted = False, place
    while place < end:
        left = end - place
        if left <= maximum:
            yield place, end
            return
        # Two halves rather than a whole and a crumb.
        goal = target if left >= 2 * target else min(target, left // 2 + 1)
        window = text[place : place + maximum]
        is_rows = in_fence or _is_rows(window)
        cut = place + _cut(window, goal, _ROWS if is_rows else _PROSE)
        yield place, place + len(text[place:cut].rstrip())
        in_fence ^= len(_FENCE.findall(text, max(place, counted), cut)) % 2 == 1
        counted = cut
        solid = _solid(text, cut, end)
        # Beyond a wide gap there is nothing to share.
        first = cut if solid - cut > overlap else max(place + 1, cut - overlap)
        place = _shared(text, first, cut, is_rows=is_rows)


def _solid(text: str, start: int, end: int) -> int:
    found = _SOLID.search(text, start, end)
    return found.start() if found else end


def _is_rows(window: str) -> bool:
    """Code, a table, a list of values: its lines should stay whole."""
    lines = window.count("\n")
    if _FENCE.search(window):
        return True
    return lines > 1 and 2 * len(_ROW.findall(window)) >= lines


def _cut(window: str, goal: int, marks: tuple[re.Pattern[str], ...]) -> int:
    """Where to cut: the last good place up to ``goal``, or the first one behind it."""
    least = goal // 2
    for mark in marks:
        last = 0
        for found in mark.finditer(window, least):
            if found.end() > goal:
                last = last or found.end()
                break
            last = found.end()
        if last:
            return last
    return goal


def _shared(text: str, first: int, cut: int, *, is_rows: bool) -> int:
    """Where the next piece begins: with a sentence or a line that begins behind ``first``.

    Rows are shared whole or not at all; of prose some words at least.
    """
    shared = text[first:cut].rstrip()
    for mark in (_LINE,) if is_rows else _PROSE:
        found = mark.search(shared)
        if found:
            return _solid(text, first + found.end(), len(text))
    return _solid(text, cut if is_rows else first, len(text))
