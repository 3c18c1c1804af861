"""Two people changed one text: a three-way merge by lines.

What only one of them changed is taken; what both changed alike is taken once; what both changed
differently is a conflict. Changes that touch each other are one passage, as nobody can say that
the one does not depend on the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from chat_app.runtime.line_matching import Same, matching


@dataclass(frozen=True, slots=True)
class Conflict:
    """A passage both changed: what it was and what each made of it. ``line`` counts from 1 in the
    merged text, in which ``mine`` stands."""

    base: str
    mine: str
    theirs: str
    line: int


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged text, with mine (or theirs, where asked for) in the place of conflicts."""

    text: str
    conflicts: tuple[Conflict, ...]


class _Region(NamedTuple):
    """Lines of the three texts that belong together; ``same`` in all."""

    base: tuple[int, int]
    mine: tuple[int, int]
    theirs: tuple[int, int]
    same: bool


def merge(base: str, mine: str, theirs: str, *, prefer_theirs: bool = False) -> Merged:
    """Both changes of ``base`` in one text. Never fails; see ``conflicts``."""
    if mine == theirs or theirs == base:
        return Merged(mine, ())
    if mine == base:
        return Merged(theirs, ())
    # Without line ends: a line added at the end leaves the one before it unchanged.
    old, own, other = base.split("\n"), mine.split("\n"), theirs.split("\n")
    lines: list[str] = []
    conflicts: list[Conflict] = []
    for region in _regions(old, own, other):
        was = old[slice(*region.base)]
        here, there = own[slice(*region.mine)], other[slice(*region.theirs)]
        if region.same or there in (was, here):
            lines += here
        elif here == was:
            lines += there
        else:
            conflicts.append(
                Conflict("\n".join(was), "\n".join(here), "\n".join(there), len(lines) + 1)
            )
            lines += there if prefer_theirs else here
    return Merged("\n".join(lines), tuple(conflicts))


def _regions(base: list[str], mine: list[str], theirs: list[str]) -> Iterator[_Region]:
    """All lines of the three in regions: the same in all three, or changed by somebody."""
    at_base = at_mine = at_theirs = 0
    for start, here, there, size in _kept_by_both(matching(base, mine), matching(base, theirs)):
        yield _Region((at_base, start), (at_mine, here), (at_theirs, there), same=False)
        at_base, at_mine, at_theirs = start + size, here + size, there + size
        yield _Region((start, at_base), (here, at_mine), (there, at_theirs), same=True)
    yield _Region((at_base, len(base)), (at_mine, len(mine)), (at_theirs, len(theirs)), same=False)


def _kept_by_both(mine: list[Same], theirs: list[Same]) -> Iterator[tuple[int, int, int, int]]:
    """Runs of the base that neither changed: where they begin in each text, and their size."""
    here, there = 0, 0
    while here < len(mine) and there < len(theirs):
        one, other = mine[here], theirs[there]
        start = max(one.a, other.a)
        end = min(one.a + one.size, other.a + other.size)
        if start < end:
            yield start, one.b + start - one.a, other.b + start - other.a, end - start
        if one.a + one.size < other.a + other.size:
            here += 1
        else:
            there += 1
