"""The live page and the fresh page are the same page, at a bounded price."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from one_project.common.markdown import StreamRenderer, render
from one_project.common.markdown.clean import clean
from tests.common.markdown.page import Page, text_of

# fmt: off
PIECES = [
    "a", "b c", " ", "\n", "\n\n", "  ", "    ", "\t", "- ", "* ", "1. ", "2. ", "10) ", "-", "---",
    "***", "- - -", "> ", "# ", "```", "```py\n", "~~~", "`", "``", "|", "| a | b |\n|---|---|\n",
    "*", "**", "_", "~~", "[", "](", "http://a.b", ")", "![", "]: ", "<", "<b>", "<!--", "-->", "=",
    "\\", "&lt;", "www.x.y", "é", "\U0001f600", "\ud83d", "\ude00", "\r", "\x00", "\u202e", "[ ] ",
    "def f(): pass", "\xa0", "\u2028", "\x0b", "\ufdd1", "\ufdd2",
]
# fmt: on
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=200)
cuts = st.lists(st.integers(1, 12), min_size=1, max_size=20)

PROSE = (
    "Lorem ipsum **dolor** sit amet, consectetur `adipiscing` elit, sed do eiusmod tempor"
    " incididunt ut labore et dolore magna aliqua. " * 4
).strip() + "\n\n"
LIST = "".join(
    f"{n}. **Item {n}**: some explanation of this item goes here.\n" for n in range(1, 12)
)
LOOSE = "".join(f"- Item {n}\n\n  With a second paragraph, about this long.\n\n" for n in range(9))
TABLE = "| Name | Value |\n|------|------:|\n" + "".join(
    f"| row {n} | {n * 17} |\n" for n in range(12)
)
CODE = "```python\ndef area(radius: float) -> float:\n    return 3.14159 * radius**2  # m2\n```\n\n"
STEPS = "1. Install it:\n\n   ```bash\n   pip install it\n   ```\n\n2. Run it.\n\n"
SHORT = "## A title\n\nOne sentence about it.\n\n"


def pieces_of(text, sizes):
    start = turn = 0
    while start < len(text):
        size = sizes[turn % len(sizes)]
        yield text[start : start + size]
        start, turn = start + size, turn + 1


def stream(text, sizes=(8,)):
    """The page at the end, and every record that led there."""
    renderer, page, records = StreamRenderer(), Page(), []
    for piece in pieces_of(text, sizes):
        found = renderer.feed(piece)
        page.apply(found)
        records += found
    found = renderer.finish()
    page.apply(found)
    return page, records + found


@settings(max_examples=600, deadline=None)
@given(texts, cuts)
def test_the_live_page_ends_as_the_fresh_page(text, sizes):
    page, _ = stream(text, sizes)
    assert page.closed == render(text)
    assert page.open_text == ""


@settings(max_examples=300, deadline=None)
@given(texts, cuts, st.integers(0, 200))
def test_a_resumed_stream_goes_on_as_if_nothing_had_happened(text, sizes, at):
    before, after = text[:at], text[at:]
    live = StreamRenderer()
    for piece in pieces_of(before, sizes):
        live.feed(piece)
    resumed = StreamRenderer.resume(live.text)
    assert resumed.snapshot() == live.snapshot()

    resumed = StreamRenderer.resume(before)
    page = Page()
    page.replace(resumed.snapshot())
    for piece in pieces_of(after, sizes):
        page.apply(resumed.feed(piece))
    page.apply(resumed.finish())
    assert page.closed == render(text)
    assert resumed.text == clean(text)


@settings(max_examples=300, deadline=None)
@given(texts, cuts, st.integers(0, 30))
def test_a_viewer_who_lost_track_goes_on_from_a_snapshot(text, sizes, lost_at):
    renderer, live, late = StreamRenderer(), Page(), Page()
    for turn, piece in enumerate(pieces_of(text, sizes)):
        records = renderer.feed(piece)
        live.apply(records)
        if turn <= lost_at:
            late.replace(renderer.snapshot())
        else:
            late.apply(records)
        assert late.closed == live.closed
        assert bool(late.open) == bool(live.open)
    late.apply(renderer.finish())
    assert late.closed == render(text)


@settings(max_examples=300, deadline=None)
@given(texts, cuts)
def test_appended_text_is_characters_that_can_be_shown(text, sizes):
    _, records = stream(text, sizes)
    for kind, content in records:
        assert content
        if kind == "d":
            assert content == clean(content)
            content.encode()


def test_while_it_is_written_every_word_is_on_the_page():
    text = SHORT + PROSE + LIST + "\n" + CODE + TABLE + "\n" + PROSE
    renderer, page, written = StreamRenderer(), Page(), ""
    for piece in pieces_of(text, (5,)):
        page.apply(renderer.feed(piece))
        written += piece
        shown = text_of(page.closed) + page.open_text
        words = re.findall(r"\b[A-Za-z]{4,}\b", written)
        # The last word may be half written, or the language of a fence whose line has not ended.
        assert [word for word in words[:-1] if word not in shown] == []


def test_text_goes_to_the_end_of_the_block_it_belongs_to():
    for text, tail in [
        ("some text", ["p"]),
        ("- a\n  - b", ["ul", "li", "ul", "li"]),
        ("> a", ["blockquote", "p"]),
        ("```py\nx = 1\ny", ["div", "pre", "code"]),
        ("| a |\n|---|\n| b |\n", ["div", "table", "tbody", "tr", "td"]),
        ("## a", ["h4"]),
    ]:
        page = Page()
        page.replace(StreamRenderer.resume(text).snapshot())
        assert page.tail() == tail


def test_a_code_block_is_laid_out_once_and_then_only_grows():
    renderer = StreamRenderer()
    assert renderer.feed("``") == []
    assert renderer.feed("`py") == []
    ((kind, html),) = renderer.feed("thon\n")
    assert kind == "h"
    assert html == render("```python\n```")
    assert renderer.feed("x = 1\n  ") == [("d", "x = 1")]
    assert renderer.feed("``") == []
    assert renderer.feed(" y\n\nz") == [("d", "\n  `` y\n\nz")]
    assert renderer.feed("\n```") == []
    ((kind, html),) = renderer.feed("\n")
    assert (kind, html) == ("c", render("```python\nx = 1\n  `` y\n\nz\n```"))
    assert renderer.finish() == []


def test_code_is_coloured_when_it_is_finished():
    for text in ("```py\ndef f(): pass", "- a\n  ```py\n  def f(): pass"):
        renderer = StreamRenderer.resume(text)
        assert '<span class="k">' not in renderer.snapshot()
        renderer.finish()
        assert '<span class="k">' in renderer.snapshot()


def test_a_paragraph_closes_at_its_blank_line():
    renderer = StreamRenderer()
    assert [kind for kind, _ in renderer.feed("Hello *you")] == ["h"]
    assert renderer.feed("*, ") == [("d", "*,")]
    assert renderer.feed("there\n") == [("h", '<p dir="auto">Hello <em>you</em>, there</p>\n')]
    assert renderer.feed("\n") == [("c", render("Hello *you*, there"))]
    assert renderer.feed("x")[0][0] == "h"


def test_a_long_open_block_is_only_appended_to():
    renderer = StreamRenderer()
    renderer.feed("word " * 2_000)
    assert {kind for _ in range(500) for kind, _ in renderer.feed("more words\n")} == {"d"}


def test_a_surrogate_pair_in_two_pieces_is_one_character():
    renderer = StreamRenderer()
    renderer.feed("a")
    assert renderer.feed("\ud83d") == []
    assert renderer.feed("\ude00") == [("d", "\U0001f600")]


def test_the_stored_text_is_clean():
    renderer = StreamRenderer()
    for piece in ("a\x00", "b\r", "\nc", "\ud83d", "\ude00"):
        renderer.feed(piece)
    assert renderer.text == "ab\nc\U0001f600"


@pytest.mark.parametrize(
    ("text", "times"),
    [
        (PROSE * 8, 8),
        (SHORT * 40, 8),
        ((LIST + "\n" + PROSE) * 3, 8),
        (LOOSE * 3, 8),
        (LIST * 20, 8),
        (PROSE.strip() * 40, 8),
        ((SHORT + PROSE + LIST + "\n" + CODE + TABLE + "\n") * 3, 8),
        (TABLE * 6, 13),
        (CODE * 12, 13),
        (STEPS * 6, 13),
        ("```python\n" + "x = [1, 'a']  # b\n" * 2_000, 13),
        ("See [the docs](https://docs.example/a) and https://example.org/x.\n\n" * 20, 13),
    ],
)
def test_what_is_sent_is_proportional_to_the_text(text, times):
    _, records = stream(text)
    sent = sum(len(content.encode()) for _, content in records)
    assert sent < times * len(text.encode())


def test_the_number_of_renderings_grows_slower_than_the_text():
    counts = []
    for size in (100, 200, 400):
        _, records = stream(PROSE.strip() * size)
        counts.append(sum(kind == "h" for kind, _ in records))
    assert counts[2] <= counts[0] + 2
