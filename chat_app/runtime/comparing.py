"""A readable difference of two texts: lines, and within a changed line its words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from chat_app.runtime.line_matching import matching

CONTEXT = 3
# More than a person reads; a page must stay a page.
MAX_ROWS = 1_500
# Longer lines are shown as changed as a whole.
MAX_LINE = 4_000
WORDS_WORK = 200_000
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some characters of a line; ``changed`` where the other line does not have them."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A line: ``same``, ``old`` (taken out) or ``new`` (put in), or ``gap``: lines left out.

    ``number`` is the line's own, from 1; of a gap, how many lines it stands for.
    """

    kind: Literal["same", "old", "new", "gap"]
    number: int
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """``rows`` in order; ``added`` and ``removed`` count lines; ``is_cut``: there is more."""

    rows: tuple[Row, ...]
    added: int
    removed: int
    is_cut: bool


def compare(old: str, new: str) -> Difference:
    """What changed from ``old`` to ``new``, with a few lines around each change."""
    before, after = old.split("\n"), new.split("\n")
    if old == new:
        return Difference((), 0, 0, is_cut=False)
    rows: list[Row] = []
    added = removed = 0
    at_old = at_new = 0
    for same in [*matching(before, after), None]:
        to_old, to_new = (same.a, same.b) if same else (len(before), len(after))
        gone, come = before[at_old:to_old], after[at_new:to_new]
        removed, added = removed + len(gone), added + len(come)
        if len(rows) <= MAX_ROWS:
            rows += _changed(gone, come, at_old + 1, at_new + 1)
        at_old, at_new = to_old, to_new
        if same:
            if len(rows) <= MAX_ROWS:
                last = same.a + same.size == len(before) and same.b + same.size == len(after)
                rows += _around(after, same.b, same.size, first=not rows, last=last)
            at_old, at_new = same.a + same.size, same.b + same.size
    return Difference(tuple(rows[:MAX_ROWS]), added, removed, is_cut=len(rows) > MAX_ROWS)


def _around(
    lines: Sequence[str], start: int, size: int, *, first: bool, last: bool
) -> Iterator[Row]:
    """Unchanged lines next to changes; what lies between them is one gap."""
    head, tail = 0 if first else CONTEXT, 0 if last else CONTEXT
    if size <= head + tail + 1:
        head, tail = size, 0
    for at in range(start, start + head):
        yield Row("same", at + 1, (Piece(lines[at], False),))
    left_out = size - head - tail
    if left_out:
        yield Row("gap", left_out)
    for at in range(start + size - tail, start + size):
        yield Row("same", at + 1, (Piece(lines[at], False),))


def _changed(gone: Sequence[str], come: Sequence[str], at_old: int, at_new: int) -> list[Row]:
    """Lines taken out, then lines put in; as many of them as pair up say which words changed."""
    old_rows = [Row("old", at_old + i, (Piece(line, True),)) for i, line in enumerate(gone)]
    new_rows = [Row("new", at_new + i, (Piece(line, True),)) for i, line in enumerate(come)]
    for index, (was, now) in enumerate(zip(gone[:MAX_ROWS], come[:MAX_ROWS], strict=False)):
        words = _words(was, now)
        if words:
            old_rows[index] = Row("old", at_old + index, words[0])
            new_rows[index] = Row("new", at_new + index, words[1])
    return [*old_rows[: MAX_ROWS + 1], *new_rows[: MAX_ROWS + 1]]


def _words(was: str, now: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]] | None:
    """Both lines in pieces; None where they have too little in common for that to help."""
    if not was.strip() or not now.strip() or max(len(was), len(now)) > MAX_LINE:
        return None
    old, new = _WORDS.findall(was), _WORDS.findall(now)
    same = matching(old, new, work=WORDS_WORK)
    shared = sum(len("".join(old[one.a : one.a + one.size]).strip()) for one in same)
    if shared * 3 < min(len(was.strip()), len(now.strip())):
        return None
    return (
        _pieces(old, [(one.a, one.size) for one in same]),
        _pieces(new, [(one.b, one.size) for one in same]),
    )


def _pieces(words: Sequence[str], kept: Sequence[tuple[int, int]]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    at = 0
    for start, size in [*kept, (len(words), 0)]:
        for part, changed in ((words[at:start], True), (words[start : start + size], False)):
            if part:
                pieces.append(Piece("".join(part), changed))
        at = start + size
    return tuple(pieces)
