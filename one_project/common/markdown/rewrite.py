"""From the parser's HTML to the HTML the product shows: links, images, headings, code, depth.

The parser escapes ``<``, ``>``, ``&`` and ``"`` in every text and attribute, so a pattern over
its tags is exact. What leaves here still goes through the sanitiser (``sanitise``).
"""

import re
from html import escape, unescape

from one_project.common.markdown.highlight import Colours, language_of
from one_project.common.markdown.links import Link, vet

MAX_DEPTH = 32
"""Elements inside each other before further ones lose their tags and keep their text.

The sanitiser's time grows with the square of the depth: 60,000 ``>`` took it 36 s.
"""

_TOKEN = re.compile(
    r'<pre><code(?: class="language-([^"]*)")?>(.*?)</code></pre>\n?'
    r"|<(/?)(a|img|em|strong|del|blockquote|ul|ol|li|h[1-6])\b([^>]*)>",
    re.DOTALL,
)
_ADDRESS = re.compile(r'(?:href|src)="([^"]*)"')
_ALTERNATIVE = re.compile(r'alt="([^"]*)"')
_TASK = re.compile(r"(<li>(?:\n<p>)?)\[([ xX])\](?= )")
_TAG = re.compile(r"<[^>]*>")
_GLYPHS = {" ": "\u2610", "x": "\u2611", "X": "\u2611"}
# h1 and h2 belong to the page and the conversation, so an answer's headings start at h3.
_HEADINGS = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6", "h6": "h6"}


def code_block(code: str, info: str, colours: Colours) -> str:
    """A code block for the sanitiser, its language in ``lang`` until ``sanitise`` moves it."""
    language = language_of(info)
    return f'<pre lang="{language}"><code>{colours.html(code, language)}</code></pre>'


class _Rewriter:
    """One pass over the tags of one block's HTML."""

    def __init__(self, colours: Colours) -> None:
        self._colours = colours
        self._out: list[str] = []
        self._closing: list[str] = []  # what each open element's end tag becomes
        self._link: Link | None = None
        self._in_link = False
        self._link_start = 0

    def run(self, html: str) -> str:
        end = 0
        for match in _TOKEN.finditer(html):
            if match.start() > end:
                self._out.append(html[end : match.start()])
            end = match.end()
            self._token(match)
        self._out.append(html[end:])
        return "".join(self._out)

    def _token(self, match: re.Match[str]) -> None:
        info, code, slash, tag, attributes = match.groups()
        if tag is None:
            source = unescape(code)
            self._out.append(code_block(source, unescape(info or ""), self._colours))
        elif tag == "img":
            self._image(attributes)
        elif tag == "a":
            self._end_link() if slash else self._begin_link(attributes)
        elif slash:
            self._out.append(self._closing.pop())
        else:
            self._begin(tag, attributes)

    def _begin(self, tag: str, attributes: str) -> None:
        if len(self._closing) >= MAX_DEPTH:
            self._closing.append("")
            return
        tag = _HEADINGS.get(tag, tag)
        self._out.append(f"<{tag}{attributes}>")
        self._closing.append(f"</{tag}>")

    def _begin_link(self, attributes: str) -> None:
        self._in_link = True
        self._link = _vetted(attributes)
        if self._link:
            self._out.append(_open_tag(self._link))
        self._link_start = len(self._out)

    def _end_link(self) -> None:
        self._in_link = False
        if self._link is None:
            return
        shown = unescape(_TAG.sub("", "".join(self._out[self._link_start :])))
        self._out.append("</a>")
        if not self._link.is_shown_by(shown):
            self._out.append(f' <span class="host">({escape(self._link.host)})</span>')
        self._link = None

    def _image(self, attributes: str) -> None:
        """A picture is never loaded: it is its description, and a link to where it lies."""
        match = _ALTERNATIVE.search(attributes)
        text = (match[1].strip() if match else "") or "Image"
        link = None if self._in_link else _vetted(attributes)
        if link is None:
            self._out.append(text)
        else:
            self._out.append(f"{_open_tag(link)}{text} ({escape(link.host)})</a>")


def _vetted(attributes: str) -> Link | None:
    match = _ADDRESS.search(attributes)
    return vet(unescape(match[1])) if match else None


def _open_tag(link: Link) -> str:
    return f'<a href="{escape(link.address)}">'


def _task(match: re.Match[str]) -> str:
    return match[1] + _GLYPHS[match[2]]


def rewrite(html: str, colours: Colours) -> str:
    """The product's HTML, not yet sanitised, of one or more whole blocks of parser HTML."""
    if "<li>" in html:
        html = _TASK.sub(_task, html)
    return _Rewriter(colours).run(html)
