"""The last wall: an allowlist over the finished HTML, and then what only we may add.

Model text must not make a button or a focusable region, so those are set after the sanitiser, by
replacing tags that no text can forge (every ``<`` of a text is escaped by then).
"""

import re

import nh3

from one_project.common.markdown.highlight import SPAN_CLASSES

# fmt: off
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}
# fmt: on
_ALIGN = {"align": {"left", "center", "right"}}

_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes={"a": {"href"}, "ol": {"start"}, "pre": {"lang"}},
    tag_attribute_values={"td": _ALIGN, "th": _ALIGN},
    allowed_classes={"span": {*SPAN_CLASSES, "host"}},
    url_schemes={"http", "https", "mailto"},
    link_rel=None,  # set below, with the rest of what is always the same
)

_LINK = '<a target="_blank" rel="noopener noreferrer nofollow ugc" href='
_CODE = re.compile(r'<pre lang="([a-z0-9_+#.-]+)"><code>')
_CODE_HEAD = (
    r'<div class="code"><div class="code-head"><span class="code-lang">\1</span>'
    r'<button type="button" class="copy-code" data-copy="code">Copy</button></div>'
    r'<pre tabindex="0"><code class="language-\1">'
)
_TABLE_HEAD = '<div class="table-scroll" tabindex="0" role="region" aria-label="Table">'
_DIRECTED = ("p", "li", "h3", "h4", "h5", "h6", "blockquote")


def sanitise(html: str) -> str:
    """Safe HTML of whole blocks, with our code heads, table frames and text directions.

    ``dir="auto"`` on each block lets its own first letters decide, so a right-to-left line can
    turn neither its neighbours nor the page.
    """
    html = _CLEANER.clean(html)
    for tag in _DIRECTED:
        html = html.replace(f"<{tag}>", f'<{tag} dir="auto">')
    html = html.replace("<a href=", _LINK)
    if "<table>" in html:
        html = html.replace("<table>", f'{_TABLE_HEAD}<table dir="auto">')
        html = html.replace("</table>", "</table></div>")
    if "<pre " in html:
        html = _CODE.sub(_CODE_HEAD, html)
        html = html.replace("</code></pre>", "</code></pre></div>")
    return html
