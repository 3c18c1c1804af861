"""A web page as plain text: title, headings, paragraphs and the words of its links. Pure.

Reads tags by itself and in one pass. The standard library's parser takes minutes for 100 KB of
unfinished tags, and pages come from strangers. What it gives is text for a model to read; it is
not made safe for a browser.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Final

MAX_CHARS: Final = 20_000
MAX_TITLE_CHARS: Final = 300

# Not read at all, up to the end tag.
_SKIPPED = frozenset(
    ("script", "style", "noscript", "template", "svg", "nav", "footer", "aside", "form", "iframe",
     "button", "select", "canvas", "object", "audio", "video")
)  # fmt: skip
# Of these the content is no HTML: only their own end tag ends them.
_RAW = frozenset(("script", "style", "noscript", "iframe", "textarea", "title"))
_BLOCKS = frozenset(
    ("address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure",
     "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section",
     "table", "tbody", "thead", "tr", "ul")
)  # fmt: skip
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_NAME = re.compile(r"/?[a-zA-Z][a-zA-Z0-9:-]{0,40}")


@dataclass(frozen=True, slots=True)
class Page:
    """title may be empty. is_cut: there was more text than ``limit``."""

    title: str
    text: str
    is_cut: bool


def read_page(html: str, limit: int = MAX_CHARS) -> Page:
    """The readable part of a page, ``limit`` characters at most. Raises nothing."""
    title = ""
    pieces: list[str] = []
    size, skipping = 0, ""
    depth = 0
    for kind, value in _tokens(html):
        if skipping:
            # An element inside one of its own kind does not end it.
            if value == skipping:
                depth += {"open": 1, "close": -1}.get(kind, 0)
            skipping = skipping if depth else ""
        elif kind == "open" and value in _SKIPPED:
            skipping, depth = value, 1
        elif kind == "title":
            title = title or " ".join(unescape(value).split())[:MAX_TITLE_CHARS]
        else:
            pieces.append(_written(kind, value))
            size += len(pieces[-1])
            if size > 4 * limit:
                break
    text = _tidy("".join(pieces))
    return Page(title, text[:limit].rstrip(), len(text) > limit)


def _written(kind: str, value: str) -> str:
    if kind == "text":
        return re.sub(r"\s+", " ", unescape(value))
    if value in ("td", "th"):
        return " | " if kind == "close" else ""
    if value not in _BLOCKS:
        return ""
    start = _HEADINGS.get(value) or ("- " if value == "li" else "")
    return "\n" + start if kind == "open" else "\n"


def _tidy(text: str) -> str:
    lines = (" ".join(line.split()).removesuffix(" |") for line in text.split("\n"))
    return "\n".join(line for line in lines if line.strip(" -#|"))


def _tokens(html: str) -> Iterator[tuple[str, str]]:
    """``text``, ``open``, ``close`` and ``title``, in order; comments are left out."""
    lowered = _Lowered(html)
    place = 0
    while place < len(html):
        start = html.find("<", place)
        if start < 0:
            break
        yield "text", html[place:start]
        name = _NAME.match(html, start + 1)
        if name is None:
            place = lowered.after_mark(start)
            yield "text", "<" if place == start + 1 else ""
            continue
        tag = name[0].lower()
        place = lowered.after_tag(name.end())
        if tag.startswith("/"):
            yield "close", tag[1:]
            continue
        yield "open", tag
        if tag in _RAW:
            end = lowered.find(f"</{tag}", place)
            yield "title" if tag == "title" else "text", html[place:end]
            place = end
    yield "text", html[place:]


class _Lowered:
    """Searches that remember what they found: each letter is looked at once for each thing."""

    def __init__(self, html: str) -> None:
        # ASCII only: other letters may change their number when they are lowered.
        self._html = html
        self._low = html.translate(_TO_LOWER)
        self._found: dict[str, tuple[int, int]] = {}

    def find(self, what: str, start: int) -> int:
        """Where it is, or the end of the page."""
        since, found = self._found.get(what, (0, -1))
        if not since <= start <= found:
            found = self._low.find(what, start)
            found = len(self._html) if found < 0 else found
            self._found[what] = (start, found)
        return found

    def after_mark(self, start: int) -> int:
        """Behind a comment or a declaration; one on for a ``<`` that begins neither."""
        if self._html.startswith("<!--", start):
            return self.find("-->", start + 4) + 3
        if self._html[start + 1 : start + 2] in ("!", "?", "/"):
            return self.find(">", start) + 1
        return start + 1

    def after_tag(self, place: int) -> int:
        """Behind the ``>`` that ends a tag, not one within a quoted value."""
        while place < len(self._html):
            end = self.find(">", place)
            quote = min(self.find('"', place), self.find("'", place))
            if end <= quote:
                return end + 1
            # Only a value is quoted; a stray quote is part of the tag.
            if not self._html[place:quote].rstrip().endswith("="):
                place = quote + 1
                continue
            closing = self.find(self._html[quote], quote + 1)
            if closing >= len(self._html):
                return end + 1
            place = closing + 1
        return place


_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
