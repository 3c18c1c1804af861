"""Blocks to HTML, and whole texts to HTML by way of their blocks.

Every block's HTML depends on that block alone, and on how much code before it was coloured. Blocks
between two fences are handed to the parser together, for speed only: a paragraph of one
noncharacter between them ends whatever list or quote is open. It would not end a fence, so a block
that may hold one is parsed alone.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from django.utils.safestring import SafeString, mark_safe

from one_project.common.markdown.blocks import MAX_RENDER_BYTES, Block, Kind, split
from one_project.common.markdown.cache import TextCache
from one_project.common.markdown.clean import clean
from one_project.common.markdown.commonmark import to_html
from one_project.common.markdown.guards import SEPARATOR, guard, unmark
from one_project.common.markdown.highlight import Colours
from one_project.common.markdown.rewrite import code_block, rewrite
from one_project.common.markdown.sanitise import sanitise

CACHE_CHARS = 8_000_000
"""Room for about 1,000 answers of 2,000 tokens, text and HTML."""

_cache = TextCache(CACHE_CHARS)
_BETWEEN = f"\n\n{SEPARATOR}\n\n"
_BETWEEN_HTML = f"<p>{SEPARATOR}</p>\n"


def _gap(after: Block) -> str:
    """What ends the block before for certain: an unindented paragraph needs but a blank line."""
    unindented = after.kind is Kind.PROSE and after.text[0] not in " \t"
    return "\n\n" if unindented else _BETWEEN


def _batches(blocks: Sequence[Block]) -> Iterator[Sequence[Block]]:
    """Blocks in groups the parser may take at once."""
    start = size = 0
    for number, block in enumerate(blocks):
        length = len(block.text.encode()) + len(_BETWEEN)
        # A fence inside a list may be open at its end, and would take what follows for code.
        if "```" in block.text or "~~~" in block.text:
            length = MAX_RENDER_BYTES
        if size + length > MAX_RENDER_BYTES and number > start:
            yield blocks[start:number]
            start, size = number, 0
        size += length
    yield blocks[start:]


def _parsed_together(blocks: Sequence[Block]) -> str:
    pieces = [blocks[0].text]
    for block in blocks[1:]:
        pieces += (_gap(block), block.text)
    return to_html(guard("".join(pieces))).replace(_BETWEEN_HTML, "")


def parsed(blocks: Sequence[Block]) -> str:
    """The parser's HTML of blocks that are not fences."""
    return unmark("".join(map(_parsed_together, _batches(blocks)))) if blocks else ""


def render_blocks(blocks: Sequence[Block], colours: Colours) -> str:
    """Safe HTML of the next blocks of the text that ``colours`` belongs to."""
    parts: list[str] = []
    for fenced, group in groupby(blocks, key=lambda block: block.kind is Kind.FENCE):
        if fenced:
            parts.extend(code_block(each.text, each.info, colours) for each in group)
        else:
            parts.append(rewrite(parsed(list(group)), colours))
    return sanitise("".join(parts))


def render(text: str) -> SafeString:
    """The HTML a person sees for a Markdown text of any length. Safe; never raises.

    An empty text gives an empty string. The result equals what a ``StreamRenderer`` ends with.
    """
    html = _cache.get(text)
    if html is None:
        html = render_blocks(split(clean(text)), Colours())
        _cache.put(text, html)
    return mark_safe(html)  # noqa: S308 - sanitised above, the one place that makes chat HTML
