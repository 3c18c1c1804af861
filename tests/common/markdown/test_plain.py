"""One line of words for previews and announcements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_project.common.markdown import plain_text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("# A *title*\n\nand **text**\n\n- [x] one\n- two", "A title and text one two"),
        ("[a](https://b.test) ![c](https://d.test) `e`", "a c e"),
        ("1 < 2 &amp; <b>x</b>", "1 < 2 & <b>x</b>"),
        ("```python\nx  = 1\n\ny\n```", "x = 1 y"),
        ("| a | b |\n|---|---|\n| c | d |", "a b c d"),
        ("in*ner* w~~or~~d", "inner word"),
        ("a\x00\u202eb\r\nc", "ab c"),
    ],
)
def test_markup_is_gone_and_words_stay(text, line):
    assert plain_text(text) == line


def test_a_limit_counts_the_ellipsis():
    assert plain_text("one two three", limit=13) == "one two three"
    assert plain_text("one two three", limit=9) == "one two…"
    assert plain_text("one two three\n\n" * 50_000, limit=5) == "one…"


@given(st.text(max_size=300), st.integers(1, 40))
def test_it_is_never_longer_than_asked(text, limit):
    line = plain_text(text, limit)
    assert len(line) <= limit
    assert "\n" not in line
