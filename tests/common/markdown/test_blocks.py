"""Where blocks end; and that cutting them changes nothing that CommonMark would show."""

import re

import pytest

from one_project.common.markdown.blocks import MAX_RENDER_BYTES, BlockSplitter, Kind, split
from one_project.common.markdown.commonmark import to_html
from one_project.common.markdown.guards import guard, unmark
from one_project.common.markdown.highlight import NO_COLOURS
from one_project.common.markdown.rendering import render_blocks
from one_project.common.markdown.rewrite import rewrite
from one_project.common.markdown.sanitise import sanitise

ONE_BLOCK = [
    "- a\n\n- b\n\n\n- c",
    "- a\n\n  b\n\n      code\n\n- c",
    "1. a\n\n   ```\n   x\n\n   y\n   ```\n2. b",
    "1. a\n\n   | x |\n   |---|\n   | y |\n\n2. b",
    "- a\n  - b\n\n    c\n\n  - d",
    "- a\nlazy\n\n- b",
    "* a\n\n+ b\n\n1) c",
    "10. a\n\n    b",
    "    code\n\n\n    more",
    "> a\nlazy\n> b",
    "| a |\n|---|\n| b |",
    "Title\n=====",
    "a\n2. b",
    "- - -",
]
SEVERAL = {
    "a\n\nb": 2,
    "a\n- b\n\n- c": 2,
    "- a\n\nb": 2,
    "1. a\n\n  b": 2,
    "- a\n```\nx\n\ny\n```\n- b": 3,
    "a\n```\nx\n```\nb": 3,
    "    code\ntext": 2,
    "> a\n\n> b": 2,
    "```\na\n```\n```\nb\n```": 2,
    "- a\n\n# b": 2,
    "a\n\n- - -\n\nb": 3,
}


@pytest.mark.parametrize("text", ONE_BLOCK)
def test_what_belongs_together_is_one_block(text):
    assert len(split(text)) == 1


@pytest.mark.parametrize(("text", "count"), SEVERAL.items())
def test_what_surely_ended_is_cut(text, count):
    assert len(split(text)) == count


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```\na\n\n- b\n    c\n# d\n```", "a\n\n- b\n    c\n# d\n"),
        ("````\n```\na\n```\n````", "```\na\n```\n"),
        ("~~~\n```\n~~~~ x\n~~~~\t", "```\n~~~~ x\n"),
        ("```\nnever closed\n    ```", "never closed\n    ```\n"),
        ("``` py\n```", ""),
    ],
)
def test_a_fence_holds_everything_up_to_its_end(text, code):
    (block,) = split(text)
    assert (block.kind, block.text) == (Kind.FENCE, code)


def test_a_block_closes_as_soon_as_the_next_begins():
    splitter = BlockSplitter()
    assert splitter.feed("- a\n\n- b\n\n") == []
    assert splitter.feed("-") == []
    assert splitter.feed(" c\n\n12") == []
    assert [block.kind for block in splitter.feed("3 x")] == [Kind.LIST]
    assert [block.kind for block in splitter.feed("\n\n")] == [Kind.PROSE]
    assert splitter.finish() == []


@pytest.mark.parametrize(
    "text",
    [
        "- ```\n\n\nafter\n\nlast",
        "- - -\n  ```\n\na\n\nb",
        "> a\n2. ~~~\n\n   x\n\ny",
        "> a\n2. b\n\n   x\n\ny",
        "> a\n2. b\n\n       x\n\ny",
    ],
)
def test_a_block_takes_nothing_of_what_follows(text):
    alone = "".join(render_blocks([block], NO_COLOURS) for block in split(text))
    assert render_blocks(split(text), NO_COLOURS) == alone


def test_no_block_is_larger_than_the_parser_takes():
    for line in ("é" * 30 + "\n", "é" * 500_000, "- é\n\n", "    é\n", "\n- a\n" + " " * 70_000):
        blocks = split(line * max(1, 300_000 // len(line)))
        assert all(len(block.text.encode()) <= MAX_RENDER_BYTES for block in blocks)


SAMPLES = [
    *ONE_BLOCK,
    *SEVERAL,
    "# T\n\nSteps:\n1. **a** `b`\n2. c\n\n   d\n\nEnd.\n\n> q\n> - r\n>\n> s\n",
    "a\n\n***\n\n| a |\n|-|\n| b |\n\nc\n---\nd\n",
    "- a\n\n      code\n\n  ```js\n  x\n  ```\n  text\n- b\n\n***\ntext\n===\n",
    "a\n\n    code\n\n\n    code\n\nb\n\t\n\ttab\n",
    "1. a\n   - b\n     1. c\n\n        d\n\n   - e\n\n2. f\n10. g\n\n    h\n",
    "* a\n\n\n  b\n\n* * *\n\nc\n",
    "> ```\n> a\n\nb\n\n> c\nlazy\n- d\nlazy\n",
]


@pytest.mark.parametrize("text", SAMPLES)
def test_blocks_one_by_one_show_what_the_whole_text_would(text):
    whole = sanitise(rewrite(unmark(to_html(guard(text))), NO_COLOURS))
    blocks = render_blocks(split(text), NO_COLOURS)
    assert re.sub(r"\s", "", blocks) == re.sub(r"\s", "", whole)
