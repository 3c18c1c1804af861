"""A growing answer as records for the browser, each final or cheap to replace.

The body of a message in the page is ``<div class="closed">…</div><div class="open">…</div>``.
Blocks that have surely ended are appended to the first, once and for good. The block being
written stands in the second: mostly it grows by plain text at its end, and it is rendered anew at
growing distances, so what is sent stays proportional to the text. When the text ends, the closed
part equals ``render`` of it, since both render the same blocks.

A record is a pair of a letter and a string:

``("c", html)``  append ``html`` to the closed part and empty the open part
``("h", html)``  replace the inside of the open part
``("d", text)``  append ``text`` as text (never as HTML) at the end of the open part's last line:
                 into its last element, and that one's last, as long as that is a container
``("r", html)``  replace the whole body; ``snapshot`` gives this HTML, for a viewer who lost track
"""

from typing import Literal, Self

from one_project.common.markdown.blocks import Block, BlockSplitter, Fence, Kind, may_open_fence
from one_project.common.markdown.clean import TextCleaner
from one_project.common.markdown.highlight import NO_COLOURS, Colours
from one_project.common.markdown.rendering import render_blocks

Record = tuple[Literal["c", "h", "d", "r"], str]

MIN_GROWTH_CHARS = 48
GROWTH_DIVISOR = 4
"""An open block is rendered anew when it has grown by a quarter, and a line or 48 characters."""
MAX_RERENDERED_CHARS = 8_192
"""A longer open block only grows by text until it closes."""
MAX_SENT_PER_CHAR = 6
"""No block is rendered anew where that would bring all that was sent above this many times the
text. Closing adds the final HTML, 1.2 times the text for prose and 2 to 3 times for code."""
EAGER_SENT_PER_CHAR = 4
"""While below this, a line's end alone is reason enough: a list item or a row takes its form."""

_SPACE = " \t\n"


class StreamRenderer:
    """The state of one answer while it is written; ``feed`` once per flush."""

    def __init__(self) -> None:
        self._cleaner = TextCleaner()
        self._splitter = BlockSplitter()
        self._colours = Colours()
        self._text: list[str] = []
        self._length = 0
        self._closed: list[str] = []
        self._unsent = ""  # of the open block, what the browser has not got
        self._shown = False  # the open part of the page is not empty
        self._rendered_length = 0  # of the open block, when it was last rendered
        self._rendered_size = 0  # characters of its HTML then
        self._sent = 0  # characters in all records

    @classmethod
    def resume(cls, text: str) -> Self:
        """The renderer of an answer of which ``text`` was stored; its viewers get ``snapshot``."""
        renderer = cls()
        renderer.feed(text)
        renderer._sent = EAGER_SENT_PER_CHAR * renderer._length
        return renderer

    @property
    def text(self) -> str:
        """All text so far, clean (see ``clean``), so that it can be stored."""
        if len(self._text) > 1:
            self._text = ["".join(self._text)]
        return self._text[0] if self._text else ""

    def feed(self, delta: str) -> list[Record]:
        """The records that bring the browser up to date with ``delta`` added."""
        return self._take(self._cleaner.feed(delta))

    def finish(self) -> list[Record]:
        """The records that close the answer; nothing may be fed afterwards."""
        records = self._take(self._cleaner.finish())
        closed = self._splitter.finish()
        if closed:
            records.append(self._close(closed))
        return records

    def snapshot(self) -> str:
        """The HTML of the whole body, equal to what all records so far have built."""
        closed = "".join(self._closed)
        opened = self._open_html() if self._shown else ""
        return f'<div class="closed">{closed}</div><div class="open">{opened}</div>'

    def _take(self, text: str) -> list[Record]:
        if not text:
            return []
        self._text.append(text)
        self._length += len(text)
        records: list[Record] = []
        closed = self._splitter.feed(text)
        if closed:
            records.append(self._close(closed))
            self._unsent = self._splitter.open_text()
        else:
            self._unsent += text
        fence = self._splitter.fence
        records += self._advance_fence(fence) if fence else self._advance_prose()
        self._sent += sum(len(content) for _, content in records)
        return records

    def _close(self, blocks: list[Block]) -> Record:
        html = render_blocks(blocks, self._colours)
        self._closed.append(html)
        self._shown = False
        self._unsent = ""
        return "c", html

    def _advance_prose(self) -> list[Record]:
        if not self._shown:
            return self._begin_prose()
        ready = self._unsent.rstrip(_SPACE)
        if not ready:
            return []
        if self._is_due():
            return [self._show()]
        self._unsent = self._unsent[len(ready) :]
        return [("d", ready)]

    def _begin_prose(self) -> list[Record]:
        partial = self._splitter.partial
        if self._splitter.kind is None and (not partial.strip() or may_open_fence(partial)):
            return []
        return [self._show()]

    def _is_due(self) -> bool:
        length = self._open_length()
        if length > MAX_RERENDERED_CHARS:
            return False
        growth = length - self._rendered_length
        expected = self._sent + self._rendered_size + 2 * growth
        if expected > MAX_SENT_PER_CHAR * self._length:
            return False
        line_ended = "\n" in self._unsent
        if growth * GROWTH_DIVISOR >= self._rendered_length:
            return line_ended or growth >= MIN_GROWTH_CHARS
        return line_ended and expected < EAGER_SENT_PER_CHAR * self._length

    def _advance_fence(self, fence: Fence) -> list[Record]:
        """Code is shown as a plain block at once, then only grows until it closes."""
        if not self._shown:
            return [self._show()]
        ready = self._unsent[: len(self._unsent) - self._held_back(fence)].rstrip(_SPACE)
        if not ready:
            return []
        self._unsent = self._unsent[len(ready) :]
        return [("d", ready)]

    def _held_back(self, fence: Fence) -> int:
        """Characters of a last line that may yet be the closing fence and not code."""
        partial = self._splitter.partial
        return len(partial) if fence.may_be_closed_by(partial) else 0

    def _show(self) -> Record:
        """Render the open block; white space at its end is left for the text that follows it."""
        text = self._splitter.open_text()
        self._unsent = text[len(self._visible(text)) :]
        self._rendered_length = len(text)
        self._shown = True
        html = self._open_html()
        self._rendered_size = len(html)
        return "h", html

    def _visible(self, text: str) -> str:
        fence = self._splitter.fence
        if fence:
            text = text[: len(text) - self._held_back(fence)]
        return text.rstrip(_SPACE)

    def _open_html(self) -> str:
        text = self._visible(self._splitter.open_text())
        fence = self._splitter.fence
        if fence:
            return render_blocks([Block(Kind.FENCE, text, fence.info)], NO_COLOURS)
        return render_blocks([Block(Kind.PROSE, text)], NO_COLOURS)

    def _open_length(self) -> int:
        return self._splitter.open_length + len(self._splitter.partial)
