"""How much of the evidence a search finds.

Recall@k of a question is the share of its evidence among the first k results (with one piece of
evidence: 1 or 0; with two, one of them found is 0.5). Recall@k of a set of questions is the mean
over the questions, each of which weighs the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from benchmarks.evaluation.loading import (
    Category,
    Conversation,
    DocumentQuestion,
    MessageQuestion,
)

Q = TypeVar("Q", bound=MessageQuestion | DocumentQuestion)

# The range of neighbours that ``context_options`` adds by default.
BEFORE, AFTER = 2, 1
MIDDLE = 24  # characters around a quote's middle


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk that knowledge search returned: the id of its document in the set, and its text."""

    document: str
    text: str


Found: TypeAlias = Mapping[str, Sequence[str]]  # ids of messages, best first, by id of the question
Pieces: TypeAlias = Mapping[str, Sequence[Piece]]  # best first, by id of the question
Scores: TypeAlias = dict[str, float]


def share(evidence: Iterable[str], found: Iterable[str]) -> float:
    """The part of ``evidence`` that is in ``found``, 0 to 1."""
    wanted, seen = set(evidence), set(found)
    return len(wanted & seen) / len(wanted)


def with_ranges(found: Iterable[str], conversations: Iterable[Conversation]) -> list[str]:
    """``found``, with BEFORE messages ahead of each and AFTER behind it, in its conversation."""
    places: dict[str, tuple[Conversation, int]] = {}
    for conversation in conversations:
        for place, message in enumerate(conversation.messages):
            places[message.id] = (conversation, place)
    wide: dict[str, None] = {}
    for one in found:
        conversation, place = places[one]
        near = conversation.messages[max(place - BEFORE, 0) : place + AFTER + 1]
        wide.update(dict.fromkeys(message.id for message in near))
    return list(wide)


def score_messages(
    questions: Sequence[MessageQuestion], found: Found, conversations: Sequence[Conversation]
) -> Scores:
    """``r5``, ``r10``; ``range10``: recall of the first ten with their ranges; ``messages10``:
    how many messages those are, on average."""
    ranges = {one.id: with_ranges(found[one.id][:10], conversations) for one in questions}
    return {
        "r5": _mean(questions, lambda one: share(one.evidence, found[one.id][:5])),
        "r10": _mean(questions, lambda one: share(one.evidence, found[one.id][:10])),
        "range10": _mean(questions, lambda one: share(one.evidence, ranges[one.id])),
        "messages10": _mean(questions, lambda one: float(len(ranges[one.id]))),
    }


def score_documents(questions: Sequence[DocumentQuestion], found: Pieces) -> Scores:
    """``r5``, ``r10``: whether one of the first chunks covers the middle of the quote."""

    def recall(one: DocumentQuestion, cut: int) -> float:
        return float(any(covers(piece, one) for piece in found[one.id][:cut]))

    return {
        "r5": _mean(questions, lambda one: recall(one, 5)),
        "r10": _mean(questions, lambda one: recall(one, 10)),
    }


def covers(piece: Piece, question: DocumentQuestion) -> bool:
    """Whether the chunk holds the middle of the quote; line breaks and blanks count alike."""
    return piece.document == question.document and middle(question.quote) in fold(piece.text)


def middle(quote: str) -> str:
    """The MIDDLE characters around the quote's middle, or all of a shorter quote."""
    text = fold(quote)
    start = max((len(text) - MIDDLE) // 2, 0)
    return text[start : start + MIDDLE].strip()


def fold(text: str) -> str:
    """One blank wherever there are blanks or line breaks."""
    return " ".join(text.split())


def low_overlap(questions: Iterable[Q]) -> list[Q]:
    """Those that share no content word with their evidence."""
    return [one for one in questions if one.category is Category.PARAPHRASE]


def _mean(questions: Sequence[Q], value: Callable[[Q], float]) -> float:
    return sum(value(one) for one in questions) / len(questions)
