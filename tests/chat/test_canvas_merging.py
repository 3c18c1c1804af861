"""Merging two people's changes of one text: nothing either of them wrote is lost."""

import random

import pytest

from chat_app.runtime.comparing import MAX_ROWS, compare
from chat_app.runtime.edit_snippets import SNIPPET, changed_span
from chat_app.runtime.line_matching import matching
from chat_app.runtime.merging import merge

LINES = [f"line {number}" for number in range(30)]


def some_text(dice: random.Random) -> str:
    """Few different lines, so that they repeat; sometimes none at all."""
    return "\n".join(dice.choices(LINES[: dice.choice([2, 5, 30])], k=dice.randint(0, 14)))


def changed(dice: random.Random, text: str) -> str:
    lines = text.split("\n")
    for _ in range(dice.randint(0, 4)):
        at = dice.randint(0, len(lines))
        lines[at : at + dice.randint(0, 2)] = dice.choices(LINES, k=dice.randint(0, 2))
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(20))
def test_merging_keeps_what_each_changed(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(100):
        base = some_text(dice)
        mine, theirs = changed(dice, base), changed(dice, base)
        assert merge(base, mine, mine).text == mine
        assert merge(base, mine, base).text == mine
        assert merge(base, base, theirs).text == theirs
        one, other = merge(base, mine, theirs), merge(base, theirs, mine)
        assert len(one.conflicts) == len(other.conflicts)
        if not one.conflicts:
            assert one.text == other.text
        else:
            assert one.text == merge(base, theirs, mine, prefer_theirs=True).text
        # A passage in conflict names both texts, and mine stands where it says.
        for passage in one.conflicts:
            assert passage.mine != passage.theirs
            assert passage.mine in mine
            assert passage.theirs in theirs
            assert (
                one.text.split("\n")[passage.line - 1 :][: passage.mine.count("\n") + 1]
                == (passage.mine.split("\n"))
                or passage.mine == ""
            )
        # Every line of mine that the base has not is still there.
        for line in set(mine.split("\n")) - set(base.split("\n")):
            assert line in one.text.split("\n")


def test_edits_of_different_passages_merge() -> None:
    base = "\n".join(LINES)
    mine = base.replace("line 3\n", "line three\n").replace("line 20\n", "")
    theirs = base.replace("line 9\n", "line nine\nand a half\n") + "\nlast"

    merged = merge(base, mine, theirs)

    assert merged.conflicts == ()
    expected = base.replace("line 3\n", "line three\n").replace("line 20\n", "")
    assert merged.text == expected.replace("line 9\n", "line nine\nand a half\n") + "\nlast"


def test_a_conflict_names_the_passage_and_keeps_the_other_changes() -> None:
    base = "title\n\nfirst\n\nsecond\n\nthird"
    mine = base.replace("first", "my first").replace("third", "my third")
    theirs = base.replace("first", "their first").replace("title", "their title")

    merged = merge(base, mine, theirs)

    assert merged.text == "their title\n\nmy first\n\nsecond\n\nmy third"
    [passage] = merged.conflicts
    assert (passage.base, passage.mine, passage.theirs, passage.line) == (
        "first",
        "my first",
        "their first",
        3,
    )
    taken = merge(base, mine, theirs, prefer_theirs=True)
    assert taken.text == "their title\n\ntheir first\n\nsecond\n\nmy third"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a\n" * 100_000, "b\n" + "a\n" * 99_999),
        ("a\nb\n" * 50_000, "b\nb\na\n" * 33_000),
        ("\n".join(map(str, range(30_000))), "\n".join(map(str, range(30_000, 0, -1)))),
        ("x " * 100_000, "y x " * 50_000),
    ],
    ids=["repeated", "shifted", "reversed", "one line"],
)
def test_no_text_stretches_the_work(one: str, other: str) -> None:
    lines, others = one.split("\n"), other.split("\n")
    for same in matching(lines, others):
        assert lines[same.a : same.a + same.size] == others[same.b : same.b + same.size]
    assert merge(one, other, one).text == other
    assert len(compare(one, other).rows) <= MAX_ROWS


def test_a_difference_shows_changed_words_and_leaves_out_what_is_far() -> None:
    old = "\n".join(LINES)
    new = old.replace("line 15", "line fifteen")

    rows = compare(old, new).rows

    assert [row.kind for row in rows] == [
        "gap", "same", "same", "same", "old", "new", "same", "same", "same", "gap",
    ]  # fmt: skip
    assert rows[0].number == 12
    changed_words = [(one.text, one.changed) for one in rows[5].pieces]
    assert changed_words == [("line ", False), ("fifteen", True)]
    assert [row.number for row in rows[1:5]] == [13, 14, 15, 16]


def test_a_span_says_where_the_change_is_and_is_bounded() -> None:
    span = changed_span("one two three", "one 2 three")
    assert (span.position, span.length) == (4, 1)
    assert (span.before, span.after) == ("one two three", "one 2 three")
    taken_out = changed_span("a" * 50, "a" * 40)
    assert taken_out.length == 0
    whole = changed_span("a" * 90_000, "b" * 90_000)
    assert len(whole.before) <= SNIPPET
    assert len(whole.after) <= SNIPPET
