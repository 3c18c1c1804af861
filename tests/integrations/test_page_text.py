"""Pages as text, and that no page keeps the reader busy."""

import time

import pytest

from integrations_app.providers.page_text import read_page

PAGE = """<!doctype html><html><head><title>Tea &amp; more</title>
<style>p { color: red }</style><script>if (a<b) { x("</p>") }</script></head>
<body><nav><a href="/">Home</a><nav>inner</nav>still</nav><!-- hidden <p>no</p> -->
<H1>All about tea</H1><p>Tea is <b>old</b>, see <a href='/x>y'>the list</a>.<br>Really.
<ul><li>green<li>black</ul><table><tr><td>1</td><td>2</td></tr></table>
3 < 4 &lt;b&gt; <footer>Imprint</footer></body></html>"""


def test_a_page_is_its_title_headings_and_words():
    page = read_page(PAGE)
    assert page.title == "Tea & more"
    assert page.text.split("\n") == [
        "# All about tea",
        "Tea is old, see the list.",
        "Really.",
        "- green",
        "- black",
        "1 | 2",
        "3 < 4 <b>",
    ]
    assert not page.is_cut


def test_long_pages_are_cut():
    page = read_page("<p>word " * 5_000, limit=100)
    assert page.is_cut
    assert len(page.text) <= 100


@pytest.mark.parametrize(
    "piece",
    ["<", "<!", "<a ", "</", "<!--", "<?", "&", "&#", "<a a='", '<a b="', "<script>", "<nav>",
     "<title>", "<textarea>", "<a ' ", "</ ", "<a>", "<p>x", "\x00"],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", '"', "'>", "-->", "</script>"])
def test_a_page_of_half_tags_is_read_at_once(piece, end):
    page = piece * (300_000 // len(piece)) + end
    began = time.process_time()
    read_page(page)
    # The standard library's parser needs a minute and more for some of these.
    assert time.process_time() - began < 5
