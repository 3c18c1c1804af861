"""Texts made to be slow. The bound is ten times what they take, so that only a change of order
(a square where there was a line) breaks it and a busy machine does not."""

import re
from time import process_time

import pytest

from one_project.common.markdown import StreamRenderer, highlight, plain_text
from one_project.common.markdown.blocks import split
from one_project.common.markdown.clean import clean
from one_project.common.markdown.highlight import LANGUAGES, Colours
from one_project.common.markdown.rendering import render_blocks

SIZE = 100_000
SECONDS = 2.0

# fmt: off
UNITS = [
    ">", "> ", "- ", "1. ", "+ * ", "> - ", "[", "![", "![[", "[a](", "![a](", "](<", "]:", "[^1]",
    "*a ", "**a ", "_a_ ", "~~a ", "***a***", "**x", "`", "`a`\n\n", "a\n\n", "a\n", "\n", " ",
    " \n", "\t", "\ta\n", "a  \n", "<", "<a", "<a:", "<a@a", "<http://a", "<!--", "&", "&lt;",
    "\\", "_", "*", "-", "-|", "#\n", "# a\n\n", "a@b.c ", "a@", "www.", "http://", "http://a.b ",
    "[a](http://b.c) ", "![a](http://b.c) ", "http://x&a;", "[a]: b\n", "- a\n", "- a\n\n",
    "- a\n\nb\n\n", "- [ ] a\n", ">a\n", "a\n-\n", "a|b\n-|-\n", "|-|\n", "- - -\n  ```\n\na\n\n",
    "```\na\n```\n", "```py\na\n```\n", "- a\n  ```py\n  x=1\n  ```\n", "~~~\n", "é", "\U0001f600",
    "\x00\u202e", "\ud83d\ude00", "\ud83d", "\ufdd1",
]
# fmt: on
WHOLE = {
    "emphasis in emphasis": "*a " * (SIZE // 6) + "a* " * (SIZE // 6),
    "lists in lists": "\n".join("  " * depth + "- a" for depth in range(310)),
    "quotes in quotes": "".join("> " * depth + "- " * depth + "a\n" for depth in range(1, 220)),
    "lazy lines": "> " * 1_000 + "a\n" + "b\n" * 49_000,
    "a wide table": "|" + "a|" * 10_000 + "\n|" + "-|" * 10_000 + "\n" + "|\n" * 20_000,
    "a table of short rows": "|" + "a|" * 60 + "\n|" + "-|" * 60 + "\n" + "|\n" * 40_000,
    "a long table": "|a|b|\n|-|-|\n" + "|1|2|\n" * 16_000,
    "backticks of every length": "".join("`" * n + "a" for n in range(440)),
    "brackets in an address": "http://x(" + "(" * SIZE,
    "one code block": "```py\n" + "def f(a): return a+1 # x\n" * 4_000,
    "code blocks that fill the room": ("```py\n" + "x = [1, 'a']  # b\n" * 500 + "```\n") * 10,
}
HOSTILE = {**{repr(unit): unit * (SIZE // len(unit)) for unit in UNITS}, **WHOLE}


@pytest.mark.parametrize("name", HOSTILE)
def test_100_kb_take_a_moment(name):
    start = process_time()
    html = render_blocks(split(clean(HOSTILE[name])), Colours())
    assert process_time() - start < SECONDS
    assert len(html) < 40 * SIZE


@pytest.mark.parametrize(
    "name", ["'>'", "'- a\\n\\n'", "'[a]('", "'_a_ '", "'a|b\\n-|-\\n'", *WHOLE]
)
def test_streaming_them_takes_a_few_moments(name):
    text, renderer = HOSTILE[name], StreamRenderer()
    start, sent = process_time(), 0
    for at in range(0, len(text), 64):
        sent += sum(len(content) for _, content in renderer.feed(text[at : at + 64]))
    renderer.finish()
    assert process_time() - start < 2 * SECONDS
    assert sent < 10 * len(text)


def test_a_preview_reads_no_more_than_it_shows():
    text = "".join(f"word{number}\n\n" for number in range(9_000))
    start = process_time()
    assert plain_text(text, limit=60).startswith("word0 word1")
    assert process_time() - start < SECONDS / 2


CODE_SIZE = highlight.MAX_HIGHLIGHT_CHARS // 2
CODE_UNITS = ["a\n", "a b\n", "\t\n", "{", "a.", "<a ", '"\\', "/*\n", "#\n", "class A ", "<<A\n"]


@pytest.mark.parametrize("language", sorted(set(LANGUAGES.values())))
def test_no_lexer_we_use_is_slow_on_the_code_we_give_it(language):
    alias = next(alias for alias, lexer in LANGUAGES.items() if lexer == language)
    for unit in CODE_UNITS:
        code = unit * (CODE_SIZE // len(unit))
        if "\n" not in unit:
            code = "\n".join(re.findall(r".{1,499}", code))
        start = process_time()
        html = Colours().html(code, alias)
        assert process_time() - start < SECONDS, unit
        assert len(html) >= len(code)


def test_a_lexer_that_takes_too_long_leaves_the_code_plain(monkeypatch):
    monkeypatch.setattr(highlight, "LEXER_SECONDS", -1.0)
    assert Colours().html("def f(): 1 < 2", "python") == "def f(): 1 &lt; 2"


def test_a_lexer_that_fails_leaves_the_code_plain(monkeypatch):
    monkeypatch.setattr(highlight, "_coloured", lambda code, lexer: 1 / 0)
    assert Colours().html("1 < 2", "python") == "1 &lt; 2"
