"""Where one top-level block of a Markdown text ends and the next begins.

The page and the live stream both render block by block, so a block must be a function of the
text alone, never of how the text was cut on its way. The splitter reads whole lines, decides each
from what came before it, and is conservative: where CommonMark could still continue a block
(a loose list, indented code, a lazy line) it does not cut. It need not know more Markdown than
that: every block goes through a full parser afterwards.

A block is cut before it would pass ``MAX_RENDER_BYTES``, so no text is lost to a size limit.
"""

import re
from enum import Enum
from typing import NamedTuple

MAX_RENDER_BYTES = 65_536
"""Most UTF-8 bytes handed to the parser at once."""
MAX_LINE_CHARS = 16_384
"""A longer line is taken in pieces; at 4 bytes a character one piece still fits a block."""

_FENCE = re.compile(r"( {0,3})(?:(`{3,})([^`]*)|(~{3,})(.*))$")
_MARKER = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)])(?=[ \t]|$)")
# What may end a paragraph without a blank line (CommonMark 5.2): not an empty item, only number 1.
_INTERRUPTS = re.compile(r" {0,3}(?:[-+*]|1[.)])[ \t]+[^ \t]")
_UNFINISHED_MARKER = re.compile(r"(?:[-+*]|\d{1,9}[.)]?)$")
_RULE = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$")
_CODE_INDENT = 4


class Kind(Enum):
    """How a block began, which decides how it can end."""

    PROSE = "prose"  # paragraph, heading, quote, table, rule: ends at a blank line
    LIST = "list"  # ends at a line outside its last item after a blank line
    INDENTED = "indented"  # indented code: ends at a line indented by less than four
    FENCE = "fence"  # ends at its closing fence


class Fence(NamedTuple):
    """The opening line of a fenced code block."""

    char: str
    length: int
    indent: int
    info: str

    def is_closed_by(self, line: str) -> bool:
        """Whether ``line`` is the closing fence (CommonMark 4.5)."""
        rest = line.lstrip(" ")
        if len(line) - len(rest) > 3:
            return False
        rest = rest.rstrip(" \t")
        return len(rest) >= self.length and not rest.strip(self.char)

    def may_be_closed_by(self, partial: str) -> bool:
        """Whether a line that begins with ``partial`` could still become the closing fence."""
        return not partial.strip(" \t").strip(self.char)


class Block(NamedTuple):
    """One top-level block: its source, or for a fence the code between its fences."""

    kind: Kind
    text: str
    info: str = ""


def may_open_fence(partial: str) -> bool:
    """Whether an unfinished first line could still become an opening fence."""
    rest = partial.lstrip(" ")
    if not rest or len(partial) - len(rest) > 3 or rest[0] not in "`~":
        return False
    run = len(rest) - len(rest.lstrip(rest[0]))
    return run == len(rest) or (run >= 3 and "`" not in rest[run:])


def _indent(line: str) -> int:
    """Columns of leading space, tab stops every four."""
    space = line[: len(line) - len(line.lstrip(" \t"))]
    return len(space.expandtabs(4)) if "\t" in space else len(space)


def _content_column(line: str, marker: re.Match[str]) -> int:
    """The column from which lines belong to a list item (CommonMark 5.2)."""
    head = marker.group()
    rest = line[marker.end() :]
    if not rest.strip(" \t"):
        return len(head) + 1
    column = _indent(" " * len(head) + rest)
    return column if column - len(head) <= _CODE_INDENT else len(head) + 1


def _opening_fence(line: str) -> Fence | None:
    match = _FENCE.match(line)
    if match is None:
        return None
    run = match[2] or match[4]
    return Fence(run[0], len(run), len(match[1]), (match[3] or match[5] or "").strip())


class BlockSplitter:
    """Cuts a text that arrives in any pieces into the blocks of the whole text."""

    def __init__(self) -> None:
        self.kind: Kind | None = None
        self.fence: Fence | None = None
        self.partial = ""
        """The line that has not ended yet (what of it is not in the open block)."""
        self.open_length = 0
        """Characters of the open block's whole lines."""
        self._lines: list[str] = []
        self._bytes = 0
        self._after_blank = False
        self._content = 0  # content column of the list's last top-level item
        self._inside_line = False  # a piece of the current line is already in the block
        self._closed: list[Block] = []

    def feed(self, text: str) -> list[Block]:
        """The blocks that surely ended with ``text`` (clean, see ``clean``)."""
        lines = (self.partial + text).split("\n")
        self.partial = lines.pop()
        for line in lines:
            self._end_line(line)
        while len(self.partial) > MAX_LINE_CHARS:
            self._take_piece(self.partial[:MAX_LINE_CHARS])
            self.partial = self.partial[MAX_LINE_CHARS:]
        self._look_ahead()
        return self._take_closed()

    def finish(self) -> list[Block]:
        """The blocks left when the text has ended."""
        if self.partial or self._inside_line:
            self._end_line(self.partial)
            self.partial = ""
        self._close()
        return self._take_closed()

    def open_text(self) -> str:
        """The source of the block that has not closed (for a fence: its code)."""
        return "".join(self._lines) + self.partial

    def _take_closed(self) -> list[Block]:
        closed, self._closed = self._closed, []
        return closed

    def _end_line(self, line: str) -> None:
        if self._is_plain(line):
            self.kind = Kind.PROSE
            self._append(line + "\n")
            return
        while len(line) > MAX_LINE_CHARS:
            self._take_piece(line[:MAX_LINE_CHARS])
            line = line[MAX_LINE_CHARS:]
        if self._inside_line:
            self._append(line + "\n")
            self._inside_line = False
        else:
            self._take_line(line, "\n")

    def _is_plain(self, line: str) -> bool:
        """A line that begins with a letter in or before prose: most lines, told quickly."""
        if self.kind is not Kind.PROSE and self.kind is not None:
            return False
        return line[:1].isalpha() and len(line) <= MAX_LINE_CHARS and not self._inside_line

    def _take_piece(self, piece: str) -> None:
        """A part of a very long line; only the first part can say what the line is."""
        if self._inside_line:
            self._append(piece)
        else:
            self._take_line(piece, "")
        self._inside_line = True

    def _take_line(self, line: str, end: str) -> None:
        if self.kind is Kind.FENCE:
            if self.fence and self.fence.is_closed_by(line):
                self._close()
            else:
                self._append(line + end)
            return
        if not line or not line.strip(" \t"):
            self._take_blank(line, end)
            return
        if self.kind is not None and self._starts_block(line):
            self._close()
        if self.kind is None:
            self._open(line)
            if self.kind is Kind.FENCE:
                return
        elif self.kind is Kind.LIST:
            self._follow_list(line)
        self._after_blank = False
        self._append(line + end)

    def _take_blank(self, line: str, end: str) -> None:
        if self.kind is Kind.PROSE:
            self._close()
        elif self.kind is not None:
            self._after_blank = True
            self._append(line + end)

    def _starts_block(self, line: str) -> bool:
        """Whether a line with text begins a new top-level block."""
        if self.kind is Kind.PROSE:
            if line.lstrip(" ")[0] not in "`~-+*1":
                return False
            if _INTERRUPTS.match(line) and not _RULE.match(line):
                return True
            return _FENCE.match(line) is not None
        indent = _indent(line)
        if self.kind is Kind.INDENTED:
            return indent < _CODE_INDENT
        if indent >= self._content or _MARKER.match(line):
            return False
        return self._after_blank or _FENCE.match(line) is not None

    def _look_ahead(self) -> None:
        """Close a list or indented code as soon as the next line's first characters tell."""
        start = self.partial.lstrip(" \t")
        if not start or not self._after_blank or self._inside_line:
            return
        if self.kind is Kind.LIST and _UNFINISHED_MARKER.match(start):
            return
        if self.kind in (Kind.LIST, Kind.INDENTED) and self._starts_block(self.partial):
            self._close()

    def _open(self, line: str) -> None:
        """Begin a block with its first line; the line itself is appended by the caller."""
        self.kind = Kind.PROSE
        first = line.lstrip(" \t")[0]
        if line[0] in " \t" and _indent(line) >= _CODE_INDENT:
            self.kind = Kind.INDENTED
        elif first in "`~":
            self.fence = _opening_fence(line)
            if self.fence:
                self.kind = Kind.FENCE
        elif first in "-+*0123456789" and _MARKER.match(line) and not _RULE.match(line):
            self.kind = Kind.LIST
            self._content = 0
            self._follow_list(line)

    def _follow_list(self, line: str) -> None:
        """Remember where the content of the newest top-level item stands."""
        marker = _MARKER.match(line)
        if marker and (self._content == 0 or _indent(line) < self._content):
            self._content = _content_column(line, marker)

    def _append(self, text: str) -> None:
        size = len(text) if text.isascii() else len(text.encode())
        # Code needs no parser, so it may be of any length.
        if self._bytes + size > MAX_RENDER_BYTES and self.kind is not Kind.FENCE and self._lines:
            self._close()
            if not text.strip(" \t\n"):
                return
            if not self._inside_line:
                self._open(text.rstrip("\n"))
                if self.fence is not None:
                    return
        if self.kind is None:
            self.kind = Kind.PROSE
        self._lines.append(text)
        self._bytes += size
        self.open_length += len(text)

    def _close(self) -> None:
        if self.kind is not None:
            text = "".join(self._lines)
            if self.fence:
                self._closed.append(Block(Kind.FENCE, text, self.fence.info))
            elif text := text.rstrip(" \t\n"):  # blank lines at the end of a list belong to nothing
                self._closed.append(Block(self.kind, text))
        self.kind = self.fence = None
        self._lines = []
        self._bytes = self.open_length = 0
        self._after_blank = False


def split(text: str) -> list[Block]:
    """All blocks of a clean text, in order."""
    splitter = BlockSplitter()
    return splitter.feed(text) + splitter.finish()
