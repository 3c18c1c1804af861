"""The evaluation set of search is what it claims to be, and its scores count what they say."""

from itertools import pairwise

import pytest
from django.db import connection

from benchmarks.evaluation.loading import (
    Category,
    DocumentQuestion,
    EvaluationSet,
    MessageQuestion,
    load,
)
from benchmarks.evaluation.readme_hybrid import ReadmeHybrid
from benchmarks.evaluation.scoring import (
    Piece,
    covers,
    fold,
    low_overlap,
    middle,
    score_documents,
    score_messages,
    share,
    with_ranges,
)

ENOUGH_SHARED = 0.6  # of a direct question's words


@pytest.fixture(scope="module")
def found() -> EvaluationSet:
    return load()


def _lexemes(texts: list[str]) -> list[set[str]]:
    """The stems of the content words of each text, as the database makes them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tsvector_to_array(to_tsvector('english', t)) "
            "FROM unnest(%s::text[]) WITH ORDINALITY AS given (t, n) ORDER BY n",
            [texts],
        )
        return [set(row[0]) for row in cursor.fetchall()]


def test_set_is_as_large_as_promised(found: EvaluationSet) -> None:
    assert len(list(found.messages())) >= 200
    assert 10 <= len(found.conversations) <= 12
    assert len(found.message_questions) == 100
    assert len(low_overlap(found.message_questions)) >= 34
    assert sum(one.needs_previous for one in found.message_questions) >= 20
    assert len(found.documents) == 30
    assert len(found.document_questions) == 60
    assert len(low_overlap(found.document_questions)) >= 20
    for document in found.documents:
        assert 300 <= len(document.text.split()) <= 1500, document.id
        assert any(one.document == document.id for one in found.document_questions), document.id


def test_categories_say_how_many_words_question_and_evidence_share(
    db: None, found: EvaluationSet
) -> None:
    said = {message.id: message.text for message in found.messages()}
    asked: list[tuple[MessageQuestion | DocumentQuestion, str]] = [
        (one, "\n".join(said[name] for name in one.evidence)) for one in found.message_questions
    ] + [(one, one.quote) for one in found.document_questions]
    questions = _lexemes([one.question for one, _ in asked])
    evidence = _lexemes([text for _, text in asked])
    for (one, _), words, theirs in zip(asked, questions, evidence, strict=True):
        name, category = one.id, one.category
        assert words, f"{name} has no content word"
        shared = words & theirs
        if category in (Category.PARAPHRASE, Category.CONTEXT):
            assert not shared, f"{name} shares {sorted(shared)} with its evidence"
        else:
            direct = len(shared) / len(words) >= ENOUGH_SHARED
            assert shared, f"{name} shares no word with its evidence"
            assert direct == (category is Category.DIRECT), f"{name} shares {sorted(shared)}"


def test_words_of_some_questions_are_in_the_message_before_the_evidence(
    db: None, found: EvaluationSet
) -> None:
    previous = {
        message.id: before.text
        for conversation in found.conversations
        for before, message in pairwise(conversation.messages)
    }
    asked = [one for one in found.message_questions if one.category is Category.CONTEXT]
    assert len(asked) >= 10
    questions = _lexemes([one.question for one in asked])
    before = _lexemes([" ".join(previous[name] for name in one.evidence) for one in asked])
    for one, words, theirs in zip(asked, questions, before, strict=True):
        assert one.needs_previous, one.id
        assert words & theirs, one.id


def test_middle_of_each_quote_marks_one_place(found: EvaluationSet) -> None:
    texts = {document.id: fold(document.text) for document in found.documents}
    for question in found.document_questions:
        assert texts[question.document].count(middle(question.quote)) == 1, question.id


def test_recall_is_the_share_of_the_evidence(found: EvaluationSet) -> None:
    assert share(["a", "b"], ["b", "c"]) == 0.5
    [one, *_] = [one for one in found.message_questions if len(one.evidence) == 1]
    best = one.evidence[0]
    others = [message.id for message in found.messages() if message.conversation != best[:4]]
    sixth = [*[name for name in others if name != best][:5], best]
    scores = score_messages([one], {one.id: sixth}, found.conversations)
    assert (scores["r5"], scores["r10"], scores["range10"]) == (0, 1, 1)


def test_ranges_stay_in_their_conversation_and_repeat_nothing(found: EvaluationSet) -> None:
    first, second = found.conversations[:2]
    begin, last = second.messages[0].id, first.messages[-1].id
    wide = with_ranges([begin, last, last], found.conversations)
    assert wide == [one.id for one in (*second.messages[:2], *first.messages[-3:])]


def test_chunk_counts_when_it_covers_the_middle_of_the_quote() -> None:
    quote = "The lid stays shut until the display shows less than 120 degrees."
    asked = DocumentQuestion("d", "When may I open it?", Category.PARTIAL, "kiln", quote)
    whole = Piece("kiln", "Cooling\n\n" + quote.replace("until the", "until\nthe"))
    assert covers(whole, asked)
    assert not covers(Piece("kiln", quote[:20]), asked)
    assert not covers(Piece("other", quote), asked)
    assert score_documents([asked], {"d": [Piece("kiln", quote[:20])] * 5 + [whole]}) == {
        "r5": 0.0,
        "r10": 1.0,
    }


def test_anchor_wants_all_words_and_fuses_with_the_nearest(db: None) -> None:
    items = [
        ("both", "green tea and cake", [0.0, 1.0]),
        ("one", "green paint", [0.1, 1.0]),
        ("near", "something else", [1.0, 0.0]),
    ]
    anchor = ReadmeHybrid(items, using="default")
    assert anchor.search("green tea", [1.0, 0.0]) == ["both", "near", "one"]
    assert anchor.search("green coffee", [1.0, 0.0]) == ["near", "one", "both"]
