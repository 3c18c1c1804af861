"""Where two states of a text differ, and a bounded piece of each around it."""

from dataclasses import dataclass

SNIPPET = 2_000
AROUND = 160


@dataclass(frozen=True, slots=True)
class Changed:
    """One span from the first to the last difference.

    ``position``: its offset in characters; ``length``: its characters in the new text; ``before``
    and ``after``: at most SNIPPET characters of each text, with a little of what stands around.
    """

    position: int
    length: int
    before: str
    after: str


def changed_span(old: str, new: str) -> Changed:
    """What changed from ``old`` to ``new``, as one span."""
    start = common_start(old, new)
    end = common_start(old[start:][::-1], new[start:][::-1])
    old_end, new_end = len(old) - end, len(new) - end
    return Changed(
        position=start,
        length=new_end - start,
        before=_snippet(old, start, old_end),
        after=_snippet(new, start, new_end),
    )


def common_start(one: str, other: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    # Halving: comparing slices is far quicker than one character after the other.
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _snippet(text: str, start: int, end: int) -> str:
    """The span with whole words around it; of a long one its beginning and its end."""
    left, right = max(0, start - AROUND), min(len(text), end + AROUND)
    piece = text[left:right]
    if left:
        piece = f"…{piece[1:]}"
    if right < len(text):
        piece = f"{piece[:-1]}…"
    if len(piece) > SNIPPET:
        half = (SNIPPET - 3) // 2
        piece = f"{piece[:half]}\n…\n{piece[-half:]}"
    return piece
