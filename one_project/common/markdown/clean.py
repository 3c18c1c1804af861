"""What may stand in a text at all, before Markdown is read.

Removed: C0 and C1 controls but tab and line feed (browsers, terminals and PostgreSQL each trip
over some), lone surrogates (not encodable), Unicode noncharacters (ours to use as marks, see
``guards``), the byte order mark, and the bidirectional embeddings, overrides and isolates of
Unicode UAX #9 (U+202A-202E, U+2066-2069), with which a text can show another order than it has.
Direction marks and joiners stay: Hebrew, Arabic and emoji need them.
"""

import re

_HIGH, _LOW = "\ud800-\udbff", "\udc00-\udfff"
_PAIR = re.compile(f"[{_HIGH}][{_LOW}]")
_PLANE_ENDS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_DROPPED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufdd0-\ufdef"
    f"{_HIGH}{_LOW}{_PLANE_ENDS}]"
)
_WAITS = re.compile(f"[\r{_HIGH}]")


def _joined(match: re.Match[str]) -> str:
    """One character for a surrogate pair that arrived as two."""
    return match.group().encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def clean(text: str) -> str:
    r"""``text`` with ``\n`` line ends and nothing of what the module removes; idempotent."""
    if not text.isascii():
        text = _PAIR.sub(_joined, text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _DROPPED.sub("", text)


class TextCleaner:
    """``clean`` for a text that arrives in pieces: the joined results equal ``clean`` of all.

    A piece may end inside a CR LF or a surrogate pair (JSON escapes split that way), so such a
    last character waits for the next piece.
    """

    def __init__(self) -> None:
        self._waiting = ""

    def feed(self, piece: str) -> str:
        """The clean text that is certain now."""
        text = self._waiting + piece
        self._waiting = ""
        if text and _WAITS.match(text[-1]):
            text, self._waiting = text[:-1], text[-1]
        return clean(text)

    def finish(self) -> str:
        """What the waiting character stands for when nothing follows: a line end or nothing."""
        rest, self._waiting = self._waiting, ""
        return clean(rest)
