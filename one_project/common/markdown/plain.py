"""Markdown as one line of plain text: previews, notifications, what a screen reader announces."""

import re
from html import unescape

from one_project.common.markdown.blocks import MAX_RENDER_BYTES, Block, Kind, split
from one_project.common.markdown.clean import clean
from one_project.common.markdown.rendering import parsed

_IMAGE = re.compile(r'<img [^>]*?alt="([^"]*)"[^>]*>')
_INLINE_TAG = re.compile(r"</?(?:a|em|strong|del|code)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")
_TASK = re.compile(r"<li>(\n<p>)?\[[ xX]\] ")


def _block_text(block: Block) -> str:
    if block.kind is Kind.FENCE:
        return block.text
    html = _TASK.sub("<li>", parsed([block]))
    html = _INLINE_TAG.sub("", _IMAGE.sub(r"\1", html))
    return unescape(_TAG.sub(" ", html))


def plain_text(text: str, limit: int | None = None) -> str:
    """The words of a Markdown text on one line, markup gone, white space folded.

    ``limit`` is the most characters of the result, an ellipsis for what was cut included. Blocks
    after the limit is reached cost nothing, and at most 64 KB are read for a limited text.
    """
    if limit is not None:
        text = text[:MAX_RENDER_BYTES]
    words: list[str] = []
    length = 0
    for block in split(clean(text)):
        found = _block_text(block).split()
        words += found
        length += sum(len(word) + 1 for word in found)
        if limit is not None and length > limit + 1:
            break
    line = " ".join(words)
    if limit is None or len(line) <= limit:
        return line
    return line[: max(limit - 1, 0)].rstrip() + "…"
