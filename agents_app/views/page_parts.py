"""Pages that are too long for one screen of a browser, in parts that end at the end of a line."""

from dataclasses import dataclass
from typing import Final

LETTERS: Final = 60_000
# Where no line ends for so long, a part ends in the middle of one.
LONGEST_LINE: Final = 4_000


@dataclass(frozen=True, slots=True)
class Part:
    """``start`` and ``end`` are offsets in the page's text; ``number`` counts from 1."""

    number: int
    count: int
    start: int
    end: int

    @property
    def previous(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def next(self) -> int | None:
        return self.number + 1 if self.number < self.count else None


def part_of(text: str, number: int) -> Part:
    """Part ``number``, or the last one where there are not so many."""
    cuts = _cuts(text)
    count = len(cuts) - 1
    number = max(1, min(number, count))
    return Part(number, count, cuts[number - 1], cuts[number])


def part_at(text: str, offset: int) -> Part:
    """The part in which ``offset`` lies."""
    cuts = _cuts(text)
    number = sum(1 for cut in cuts[1:-1] if cut <= offset) + 1
    return Part(number, len(cuts) - 1, cuts[number - 1], cuts[number])


def _cuts(text: str) -> list[int]:
    cuts = [0]
    while len(text) - cuts[-1] > LETTERS:
        wanted = cuts[-1] + LETTERS
        line_end = text.find("\n", wanted, wanted + LONGEST_LINE)
        cuts.append(wanted if line_end < 0 else line_end + 1)
    return [*cuts, len(text)] if cuts[-1] < len(text) or len(cuts) == 1 else cuts
