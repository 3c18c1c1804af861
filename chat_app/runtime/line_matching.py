"""Which parts of two lists of lines are the same, in time that no text can stretch.

``difflib`` alone takes quadratic time and worse for texts made of few different lines. Here what
both begin and end with is taken off, lines that occur once in each hold the rest together, and
only small gaps between them go to ``difflib``; where the work allowed is used up, a gap counts as
changed. The answer is always right, at worst coarser.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

# Lines of one side times lines of the other, for one gap and for all gaps together.
GAP = 40_000
WORK = 2_000_000
DEPTH = 12


class Same(NamedTuple):
    """``size`` items from ``a`` in the one and from ``b`` in the other are equal."""

    a: int
    b: int
    size: int


def matching(a: Sequence[str], b: Sequence[str], *, work: int = WORK) -> list[Same]:
    """The runs that are the same, in order, none touching the next on both sides."""
    found: list[Same] = []
    for one in _Matcher(a, b, work).between(0, len(a), 0, len(b), 0):
        last = found[-1] if found else None
        if last and last.a + last.size == one.a and last.b + last.size == one.b:
            found[-1] = last._replace(size=last.size + one.size)
        elif one.size:
            found.append(one)
    return found


class _Matcher:
    def __init__(self, a: Sequence[str], b: Sequence[str], work: int) -> None:
        self._a, self._b, self._work = a, b, work

    def between(
        self, a_start: int, a_end: int, b_start: int, b_end: int, depth: int
    ) -> Iterator[Same]:
        a, b = self._a, self._b
        begins = 0
        most = min(a_end - a_start, b_end - b_start)
        while begins < most and a[a_start + begins] == b[b_start + begins]:
            begins += 1
        yield Same(a_start, b_start, begins)
        ends = 0
        most -= begins
        while ends < most and a[a_end - 1 - ends] == b[b_end - 1 - ends]:
            ends += 1
        yield from self._inside(
            a_start + begins, a_end - ends, b_start + begins, b_end - ends, depth
        )
        yield Same(a_end - ends, b_end - ends, ends)

    def _inside(
        self, a_start: int, a_end: int, b_start: int, b_end: int, depth: int
    ) -> Iterator[Same]:
        size = (a_end - a_start) * (b_end - b_start)
        if not size:
            return
        anchors = self._anchors(a_start, a_end, b_start, b_end) if depth < DEPTH else []
        if anchors:
            for at_a, at_b in anchors:
                yield from self.between(a_start, at_a, b_start, at_b, depth + 1)
                yield Same(at_a, at_b, 1)
                a_start, b_start = at_a + 1, at_b + 1
            yield from self.between(a_start, a_end, b_start, b_end, depth + 1)
        elif size <= min(GAP, self._work):
            self._work -= size
            gap = SequenceMatcher(
                None, self._a[a_start:a_end], self._b[b_start:b_end], autojunk=False
            )
            for block in gap.get_matching_blocks():
                yield Same(a_start + block.a, b_start + block.b, block.size)

    def _anchors(self, a_start: int, a_end: int, b_start: int, b_end: int) -> list[tuple[int, int]]:
        """Lines that stand once in each range, as many as are in the same order in both."""
        in_a = Counter(self._a[a_start:a_end])
        in_b = Counter(self._b[b_start:b_end])
        at_b = {self._b[place]: place for place in range(b_start, b_end)}
        pairs = [
            (place, at_b[line])
            for place in range(a_start, a_end)
            if in_a[line := self._a[place]] == 1 and in_b[line] == 1
        ]
        return _longest_rising(pairs)


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The most pairs whose second numbers rise (the first ones do already)."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for index, (_, number) in enumerate(pairs):
        place = bisect_left(tails, number)
        before.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(number)
            ends.append(index)
        else:
            tails[place], ends[place] = number, index
    chosen: list[tuple[int, int]] = []
    index = ends[-1] if ends else -1
    while index >= 0:
        chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]
