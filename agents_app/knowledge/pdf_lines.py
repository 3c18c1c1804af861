"""The lines of a PDF page as text: words and paragraphs put together again. Pure."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

from agents_app.knowledge.parsed import PageWriter, ParsedPage

MAX_HEADING_LINE: Final = 120
# PDFium marks a hyphen that only divides a word at the end of a line by U+FFFE, older ones by 2.
_DIVIDED: Final = re.compile("[\ufffe\x02\u00ad](?:\r?\n)?")
_LIGATURES: Final = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl",
     "\ufb05": "st", "\ufb06": "st", "\u00a0": " ", "\uffff": None, "\x02": None, "\ufffe": None}
)  # fmt: skip
_BLANKS: Final = re.compile(r"[ \t]{2,}")


class Line(NamedTuple):
    """text as it was set; size of its letters and height of its base line in points, 0 unknown."""

    text: str
    size: float
    height: float


def page_of(
    number: int,
    lines: Sequence[Line],
    outline: Sequence[tuple[int, str]],
    level_of: Mapping[float, int],
) -> ParsedPage:
    """The page; headings are the lines named in ``outline``, or of a size in ``level_of``."""
    lines = tuple(joined(lines))
    writer = PageWriter()
    # The same title may be spaced and dotted differently in the outline.
    wanted = {_folded(title): level for level, title in reversed(outline)}
    usual = _usual_gap(lines)
    before: Line | None = None
    for line in lines:
        if not line.text:
            writer.blank()
            continue
        level = wanted.pop(_folded(line.text), 0)
        if not level and len(line.text) <= MAX_HEADING_LINE and _has_letters(line.text):
            level = level_of.get(line.size, 0)
        if level or (before is not None and _parts(before, line, usual)):
            writer.blank()
        writer.line(line.text, level)
        before = line
    return writer.page(number)


def joined(lines: Sequence[Line]) -> list[Line]:
    """Clean lines; a word that was divided at the end of a line is whole again."""
    out: list[Line] = []
    for line in lines:
        text = _DIVIDED.sub("", line.text).translate(_LIGATURES)
        text = _BLANKS.sub(" ", text).strip()
        above = out[-1].text if out else ""
        if above[-1:] == "-" and above[-2:-1].isalpha() and text[:1].islower():
            # The rest of the word goes up, the line below keeps what follows.
            rest, _, text = text.partition(" ")
            out[-1] = out[-1]._replace(text=above[:-1] + rest)
            if not text:
                continue
        out.append(line._replace(text=text))
    return out


def _usual_gap(lines: Sequence[Line]) -> float:
    gaps = [
        above.height - below.height
        for above, below in pairwise(lines)
        if above.height > below.height > 0
    ]
    return median(gaps) if gaps else 0.0


def _parts(above: Line, below: Line, usual: float) -> bool:
    """Whether a paragraph ends between the two: a wider gap, or letters of another size."""
    if not usual or not above.height or not below.height:
        return False
    return above.height - below.height > 1.4 * usual or abs(above.size - below.size) > 1.5


def _folded(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _has_letters(text: str) -> bool:
    return sum(map(str.isalpha, text)) >= 2
