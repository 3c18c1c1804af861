"""Pieces say where they come from, exactly."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents_app.knowledge.chunking import chunk, embedding_text
from agents_app.knowledge.parse_text import headings_of
from agents_app.knowledge.parsed import Heading, ParsedDocument, ParsedPage

SENTENCE = "The treasurer counts the money on the first Monday of every month. "


def _document(*texts, headings=True):
    pages = tuple(
        ParsedPage(number, text, tuple(headings_of(text)) if headings else ())
        for number, text in enumerate(texts, start=1)
    )
    return ParsedDocument("Title", "text/plain", pages)


PIECES = st.lists(
    st.one_of(
        st.text(alphabet="abc .!?\n\t|#-`", max_size=60),
        st.sampled_from(["word " * 90, "x" * 700, "\n" * 300, " " * 1200, SENTENCE * 9, "\n\n"]),
        st.sampled_from(["\n# One\n", "\n## Two\n", "\n```\n", "\na | b | c", "\u2003é👍🏽", "。"]),
    ),
    max_size=12,
).map("".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=3), st.lists(st.integers(0, 4000), max_size=4))
def test_every_chunk_is_a_slice_of_its_page_and_nothing_is_lost(texts, offsets):
    document = _document(*texts)
    document = ParsedDocument(
        "",
        "",
        tuple(
            ParsedPage(
                page.number,
                page.text,
                page.headings + tuple(Heading(offset, 1, "Any") for offset in offsets),
            )
            for page in document.pages
        ),
    )
    chunks = chunk(document)

    assert [one.seq for one in chunks] == list(range(len(chunks)))
    for page in document.pages:
        covered, before = set(), (-1, -1)
        for one in (one for one in chunks if one.page == page.number):
            assert page.text[one.char_start : one.char_end] == one.text
            assert one.text == one.text.strip()
            assert 0 < len(one.text) <= 1000
            assert one.char_start > before[0]
            assert one.char_end > before[1]
            assert one.char_start >= before[1] - 100
            before = one.char_start, one.char_end
            covered.update(range(one.char_start, one.char_end))
        lost = [place for place, letter in enumerate(page.text) if not letter.isspace()]
        assert covered.issuperset(lost)


def test_prose_is_cut_between_sentences_and_shares_some():
    chunks = chunk(_document(SENTENCE * 100))

    assert all(one.text.endswith("month.") for one in chunks)
    assert all(one.text.startswith("The treasurer") for one in chunks)
    assert all(600 <= len(one.text) <= 1000 for one in chunks)
    assert all(b.char_start < a.char_end for a, b in pairwise(chunks))


def test_headings_part_chunks_and_name_them():
    chunks = chunk(
        _document("# Guide\n\n## Install\n\nRun it.\n\n## Use\n\nAsk it.", "More.\n\n# End\n\nBye.")
    )

    assert [(one.page, one.heading, one.text) for one in chunks] == [
        (1, "Guide > Install", "# Guide\n\n## Install\n\nRun it."),
        (1, "Guide > Use", "## Use\n\nAsk it."),
        (2, "Guide > Use", "More."),
        (2, "End", "# End\n\nBye."),
    ]


def test_rows_and_code_stay_whole():
    rows = "\n".join(f"Name: river {n} | Length: {n} km. Really. | Note: none" for n in range(200))
    code = "```\n" + "\n".join(f"call(argument_{n}). then(x)" for n in range(200)) + "\n```"
    for text in (rows, code):
        lines = set(text.split("\n"))
        for one in chunk(_document(text)):
            assert set(one.text.split("\n")) <= lines


def test_paragraph_is_the_best_place_to_cut():
    first, second = (SENTENCE * 8).strip(), (SENTENCE * 9).strip()
    texts = [one.text for one in chunk(_document(f"{first}\n\n{second}"))]
    assert texts[0] == first


def test_last_piece_is_no_crumb():
    for count in range(15, 40):
        assert len(chunk(_document(SENTENCE * count))[-1].text) > 200


@pytest.mark.parametrize(
    "text", ["x" * 5_000_000, "." * 1_000_000, "| " * 500_000, "\n \t" * 300_000 + "x"]
)
def test_text_without_any_place_to_cut_takes_linear_time(text):
    started = time.process_time()
    chunks = chunk(_document(text, headings=False))

    assert len(chunks) < 10_000
    # Far from a measurement: anything that is not linear takes hours.
    assert time.process_time() - started < 20


def test_sizes_that_do_not_go_together_are_refused():
    for sizes in ({"target": 0}, {"target": 1200}, {"overlap": 400}, {"maximum": 300}):
        with pytest.raises(ValueError):
            chunk(_document("a"), **sizes)
    assert len(chunk(_document(SENTENCE * 100), target=300, maximum=400, overlap=0)) > 20


def test_text_for_the_vector_names_where_it_stands():
    assert embedding_text("Guide", "Install > Linux", "Run it.") == (
        "Guide > Install > Linux\n\nRun it."
    )
    assert embedding_text("Guide", "Guide > Install", "Run it.") == "Guide > Install\n\nRun it."
    assert embedding_text("", "", "Run it.") == "Run it."
    assert len(embedding_text("t" * 999, "h" * 999, "x" * 9999)) == 1500
