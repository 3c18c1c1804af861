"""``make eval-search``: how much of the evidence search finds, in the evaluation set.

The set (``benchmarks.evaluation``) is loaded into real threads and a real collection; its
questions are asked of the product's own search by words (text), by meaning (vector) and by both
(hybrid), and of the plain hybrid of pgvector's documentation (readme_hybrid), with vectors of the
same model on this machine. r5, r10: recall@5 and @10; range10: recall of ten with their neighbours
(2 before, 1 after); low_overlap: of the questions that share no content word with their evidence.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks import options
from benchmarks.evaluation.chats import embed_chats, load_chats
from benchmarks.evaluation.knowledge import load_library
from benchmarks.evaluation.loading import (
    DocumentQuestion,
    EvaluationSet,
    MessageQuestion,
    load,
)
from benchmarks.evaluation.readme_hybrid import ReadmeHybrid
from benchmarks.evaluation.scoring import (
    Scores,
    low_overlap,
    score_documents,
    score_messages,
)
from benchmarks.stack import running_stack

if TYPE_CHECKING:
    from agents_app.models import EmbeddingSpace
    from agents_app.providers.embeddings import EmbeddingModel
    from one_project.accounts.models import Organisation

MODES = ("text", "vector", "hybrid", "readme_hybrid")
# What the product's hybrid has to be, compared with the anchor's recall@10. Of messages: so few
# passages of documents, each of which speaks for itself, leave the anchor little to miss.
BY_FAR = 1.2

T = TypeVar("T")
Vector = Sequence[float]
Ask = Callable[[str, Vector], T]
Question = MessageQuestion | DocumentQuestion


def evaluate(found: EvaluationSet, model: "EmbeddingModel") -> dict[str, Any]:
    """All figures: of messages by mode and, of those without a shared word, ``low_overlap``;
    ``knowledge``: the same of documents."""
    from benchmarks.people import make_organisation

    space, organisation = _open_space(model), make_organisation("evaluation")
    figures = _of_messages(found, organisation, space, model)
    return {**figures, "knowledge": _of_documents(found, organisation, space, model)}


def _of_messages(
    found: EvaluationSet,
    organisation: "Organisation",
    space: "EmbeddingSpace",
    model: "EmbeddingModel",
) -> dict[str, Any]:
    options.say("Loading the conversations ...")
    chats = load_chats(found.conversations, organisation)
    made = asyncio.run(embed_chats(chats, space))
    questions = found.message_questions
    options.say(f"{made} messages are embedded. Asking {len(questions)} questions ...")
    messages = list(found.messages())
    alone = _vectors(model, [message.text for message in messages])
    anchor = ReadmeHybrid(
        [(one.id, one.text, vector) for one, vector in zip(messages, alone, strict=True)],
        using="default",
    )
    answers = _asked(
        questions,
        model,
        {
            "text": lambda question, _: chats.search(question, space.pk, None),
            "vector": lambda question, vector: chats.search(
                question, space.pk, vector, words=False
            ),
            "hybrid": lambda question, vector: chats.search(question, space.pk, vector),
            "readme_hybrid": anchor.search,
        },
    )
    low = low_overlap(questions)
    return {
        **{mode: score_messages(questions, one, found.conversations) for mode, one in answers},
        "low_overlap": {
            mode: score_messages(low, one, found.conversations) for mode, one in answers
        },
    }


def _of_documents(
    found: EvaluationSet,
    organisation: "Organisation",
    space: "EmbeddingSpace",
    model: "EmbeddingModel",
) -> dict[str, Any]:
    options.say("Loading the documents ...")
    library = asyncio.run(load_library(found.documents, organisation, space))
    pieces = {str(key): piece for key, piece in library.pieces.items()}
    questions = found.document_questions
    options.say(f"{len(pieces)} passages are embedded. Asking {len(questions)} questions ...")
    alone = _vectors(model, [piece.text for piece in pieces.values()])
    anchor = ReadmeHybrid(
        [(key, pieces[key].text, vector) for key, vector in zip(pieces, alone, strict=True)],
        using="default",
    )
    answers = _asked(
        questions,
        model,
        {
            "text": lambda question, _: library.search(question, space.pk, None),
            "vector": lambda question, vector: library.search(
                question, space.pk, vector, words=False
            ),
            "hybrid": lambda question, vector: library.search(question, space.pk, vector),
            "readme_hybrid": lambda question, vector: [
                pieces[key] for key in anchor.search(question, vector)
            ],
        },
    )
    low = low_overlap(questions)
    return {
        **{mode: score_documents(questions, one) for mode, one in answers},
        "low_overlap": {mode: score_documents(low, one) for mode, one in answers},
    }


def _asked(
    questions: Sequence[Question], model: "EmbeddingModel", ways: Mapping[str, Ask[T]]
) -> list[tuple[str, dict[str, T]]]:
    """What each way answers, by the question's id."""
    vectors = _vectors(model, [one.question for one in questions])
    return [
        (
            mode,
            {
                one.id: ask(one.question, vector)
                for one, vector in zip(questions, vectors, strict=True)
            },
        )
        for mode, ask in ways.items()
    ]


def _open_space(model: "EmbeddingModel") -> "EmbeddingSpace":
    from agents_app.search.spaces import active_space
    from agents_app.services.spaces import ensure_space

    ensure_space(model.dimensions)
    space = active_space()
    assert space is not None
    return space


def _vectors(model: "EmbeddingModel", texts: Sequence[str]) -> Sequence[Vector]:
    return asyncio.run(model.embed(texts)).vectors


def show(found: EvaluationSet, figures: dict[str, Any]) -> None:
    """The tables, whether the hybrid is the best, and the line of JSON."""
    _show_table("messages", found.message_questions, figures)
    _show_table("documents", found.document_questions, figures["knowledge"])
    options.say("")
    targets: dict[str, bool] = {}
    for name, scores in (("messages", figures), ("knowledge", figures["knowledge"])):
        best = scores["hybrid"]["r10"]
        for mode in ("text", "vector", "readme_hybrid"):
            targets[f"{name}: hybrid beats {mode} at 10"] = best > scores[mode]["r10"]
    by_far = f"messages: hybrid finds {BY_FAR} times what readme_hybrid finds at 10"
    targets[by_far] = figures["hybrid"]["r10"] >= BY_FAR * figures["readme_hybrid"]["r10"]
    for name, met in targets.items():
        options.say(f"{'met    ' if met else 'NOT MET'}  {name}")
    low = figures["low_overlap"]
    # By itself it is what the product's own search finds there; the legs stand beside it.
    figures = {**figures, "low_overlap": {**low["hybrid"], **low}}
    options.finish({"eval": "search", **figures, "targets": targets})


def _show_table(what: str, questions: Sequence[Question], figures: dict[str, Any]) -> None:
    names = {"r5": "r@5", "r10": "r@10", "range10": "range r@10", "messages10": "messages in range"}
    low: list[Question] = low_overlap(questions)
    rows: dict[str, tuple[Sequence[Question], dict[str, Scores]]] = {
        what: (questions, figures),
        f"{what}, no shared word": (low, figures["low_overlap"]),
    }
    for title, (asked, scores) in rows.items():
        head = [title, *(names[key] for key in scores[MODES[0]])]
        options.say(f"\n{len(asked)} questions")
        options.say(options.table(head, [[mode, *scores[mode].values()] for mode in MODES]))


def main() -> None:
    from agents_app.providers.local_embeddings import LocalEmbeddingModel, local_model_installed

    if not local_model_installed():
        sys.exit("The model on this machine is not installed (make run installs it).")
    found = load()
    options.say("Starting Postgres and Redis ...")
    with running_stack([]):
        from agents_app.providers.registry import use_embedding_model

        with use_embedding_model(LocalEmbeddingModel()) as model:
            figures = evaluate(found, model)
    show(found, figures)


if __name__ == "__main__":
    main()
