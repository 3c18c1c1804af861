"""The evaluation set as values. Raises ``ValueError`` with a sentence when the files disagree."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
KINDS = ("user", "agent")
MOST_EVIDENCE = 3  # messages


class Category(StrEnum):
    """How much a question's words have in common with those of its evidence (English stems)."""

    PARAPHRASE = "paraphrase"  # none: only the meaning connects them
    CONTEXT = "context"  # none, but some with the message before the evidence
    PARTIAL = "partial"  # some, fewer than three fifths of the question's
    DIRECT = "direct"  # three fifths of the question's or more


@dataclass(frozen=True, slots=True)
class Message:
    """``minute`` counts from the beginning of the set and grows within a conversation."""

    id: str
    conversation: str
    speaker: str  # a role
    kind: str  # one of KINDS
    minute: int
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    title: str
    messages: tuple[Message, ...]  # as they were said


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown file; ``title`` is its first heading."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class MessageQuestion:
    """``needs_previous``: the evidence is hard to understand without the message before it."""

    id: str
    question: str
    category: Category
    needs_previous: bool
    evidence: tuple[str, ...]  # ids of messages


@dataclass(frozen=True, slots=True)
class DocumentQuestion:
    """``quote`` stands in the document word for word, once."""

    id: str
    question: str
    category: Category
    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    conversations: tuple[Conversation, ...]
    documents: tuple[Document, ...]
    message_questions: tuple[MessageQuestion, ...]
    document_questions: tuple[DocumentQuestion, ...]

    def messages(self) -> Iterator[Message]:
        """Of all conversations, one after the other."""
        for conversation in self.conversations:
            yield from conversation.messages


def load(folder: Path = FOLDER) -> EvaluationSet:
    """The whole set, checked."""
    questions = _json(folder / "questions.json")
    found = EvaluationSet(
        conversations=tuple(_conversation(row) for row in _json(folder / "conversations.json")),
        documents=tuple(_document(path) for path in sorted((folder / "documents").glob("*.md"))),
        message_questions=tuple(_message_question(row) for row in questions["messages"]),
        document_questions=tuple(_document_question(row) for row in questions["documents"]),
    )
    _check_conversations(found)
    _check_questions(found)
    return found


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _conversation(row: dict[str, Any]) -> Conversation:
    messages = tuple(Message(conversation=row["id"], **one) for one in row["messages"])
    return Conversation(row["id"], row["title"], messages)


def _document(path: Path) -> Document:
    text = path.read_text(encoding="utf-8")
    first = text.partition("\n")[0]
    if not first.startswith("# "):
        raise ValueError(f"{path.name} does not begin with a title.")
    return Document(path.stem, first.removeprefix("# ").strip(), text)


def _message_question(row: dict[str, Any]) -> MessageQuestion:
    return MessageQuestion(
        id=row["id"],
        question=row["question"],
        category=Category(row["category"]),
        needs_previous=row["needs_previous"],
        evidence=tuple(row["evidence"]),
    )


def _document_question(row: dict[str, Any]) -> DocumentQuestion:
    return DocumentQuestion(**{**row, "category": Category(row["category"])})


def _check_conversations(found: EvaluationSet) -> None:
    _unique("conversation", (one.id for one in found.conversations))
    _unique("message", (one.id for one in found.messages()))
    for conversation in found.conversations:
        minutes = [message.minute for message in conversation.messages]
        if minutes != sorted(minutes):
            raise ValueError(f"The messages of {conversation.id} are not in the order of time.")
    for message in found.messages():
        if message.kind not in KINDS:
            raise ValueError(f"{message.id} is of the unknown kind {message.kind!r}.")


def _check_questions(found: EvaluationSet) -> None:
    messages = {message.id for message in found.messages()}
    texts = {document.id: document.text for document in found.documents}
    asked = [*found.message_questions, *found.document_questions]
    _unique("question", (one.id for one in asked))
    _unique("question's text", (one.question for one in asked))
    for about in found.message_questions:
        if not 1 <= len(about.evidence) <= MOST_EVIDENCE:
            raise ValueError(f"{about.id} has {len(about.evidence)} messages as evidence.")
        if missing := set(about.evidence) - messages:
            raise ValueError(f"{about.id} names messages that do not exist: {sorted(missing)}.")
    for quoted in found.document_questions:
        times = texts.get(quoted.document, "").count(quoted.quote)
        if times != 1:
            raise ValueError(f"The quote of {quoted.id} occurs {times} times in its document.")


def _unique(what: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise ValueError(f"There are two of the {what} {one!r}.")
        seen.add(one)
