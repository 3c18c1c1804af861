"""Answers out of the conversation: what was given as context, and what people said of themselves.

Extractive: sentences are found by the words they share with the question and quoted as they stand.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

from agents_app.providers.demo.request import Message
from agents_app.providers.demo.words import key_words, plain_words, sentences_of, shortened

MAX_CONTEXT_CHARS = 400_000
MAX_QUOTES = 3
_MARK = re.compile(r"^\s*\[(\d{1,3})\]")
_FACT = re.compile(r"\bmy ([a-z][\w ]{0,40}?) (?:is|are) (.{1,80})", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[.!?\n]+|,?\s{1,3}(?:and|but)\s{1,3}(?=(?:my|i|call)\b)", re.IGNORECASE)
_CALLED = re.compile(r"\b(?:i am called|call me) ([^.!?,\n]{1,60})", re.IGNORECASE)
_ASKED = re.compile(
    r"\b(?:what(?:'s| is| are| was)|who(?:'s| is)|do you (?:know|remember)|remind me)\b.*?"
    r"\bmy ([a-z][\w ]{0,40}?)\s*(?:\?|$|\.)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    place: int
    text: str
    mark: str  # the "[2]" of the source it stands under, or empty
    words: frozenset[str]
    heading: frozenset[str]  # words of the heading above it


def quotes_for(question: str, messages: Sequence[Message]) -> list[str]:
    """The sentences that answer best, in the order they stand, at most three; often none.

    messages: all but the question itself.
    """
    asked = set(key_words(question))
    candidates = list(_candidates(messages))
    if not asked or not candidates:
        return []
    spread = Counter(word for one in candidates for word in one.words | one.heading)
    weights = {word: log(1 + len(candidates) / spread[word]) for word in asked if spread[word]}
    # Half the question's words, or two of them, must be there: one shared word is chance.
    needed = min(2, max(1, -(-len(asked) // 2)))
    scored = []
    for one in candidates:
        shared = asked & one.words
        above = (asked & one.heading) - shared
        if len(shared) + len(above) >= needed:
            score = sum(weights[word] for word in shared)
            score = (score + sum(weights[word] for word in above) / 2) / len(one.words) ** 0.25
            scored.append((score, one))
    scored.sort(key=lambda item: (-item[0], item[1].place))
    best = [one for score, one in scored[:MAX_QUOTES] if score >= scored[0][0] * 0.6]
    return [_marked(one) for one in sorted(best, key=lambda one: one.place)]


def quoted_answer(quotes: Sequence[str]) -> str:
    """Quotes as an answer."""
    lead = "This is what I found in the conversation and its documents:"
    return lead + "\n\n" + "\n>\n".join(f"> {quote}" for quote in quotes)


def remembered(question: str, messages: Sequence[Message]) -> str | None:
    """The answer to "what is my ...?", from what the person said before; None if not asked."""
    asked = _ASKED.search(question)
    if asked is None:
        return None
    wanted = " ".join(key_words(asked[1])) or asked[1].lower()
    for message in reversed(messages):
        if message.role == "user":
            for name, value in reversed(list(_facts(message.text))):
                if " ".join(key_words(name)) == wanted:
                    return f"You told me: your {name} is {value}."
    return f"You have not told me your {asked[1].strip()} in this conversation yet."


def noted(question: str) -> str | None:
    """A confirmation of "my ... is ...", or None when nothing of that kind was said."""
    facts = list(_facts(question))
    if not facts or question.rstrip().endswith("?"):
        return None
    name, value = facts[0]
    if name == "name":
        return f"Nice to meet you, {value}. I will remember your name in this conversation."
    return f"Noted: your {name} is {value}. Ask me for it at any time in this conversation."


def summary_of(messages: Sequence[Message]) -> str:
    """A list of what was said, one line per message, the newest ten."""
    said = [one for one in messages if one.role in ("user", "assistant") and one.text.strip()]
    if not said:
        return "There is nothing to summarise yet: this is the beginning of the conversation."
    names = {"user": "You", "assistant": "Answer"}
    lines = [f"- **{names[one.role]}:** {_first_sentence(one.text)}" for one in said[-10:]]
    return "So far in this conversation:\n\n" + "\n".join(lines)


def title_of(messages: Sequence[Message]) -> str:
    """A title for the conversation: the first words of its first message."""
    first = next((one.text for one in messages if one.role == "user" and one.text.strip()), "")
    words = shortened(first, 60).rstrip("….?!").split()
    title = " ".join(words[:7])
    return title[:1].upper() + title[1:] if title else "New conversation"


def _candidates(messages: Sequence[Message]) -> Iterator[_Candidate]:
    left = MAX_CONTEXT_CHARS
    place = 0
    for message in messages:
        mark, heading = "", frozenset[str]()
        for sentence in sentences_of(message.text[:left]):
            found = _MARK.match(sentence)
            mark = f"[{found[1]}]" if found else mark
            words = frozenset(key_words(_MARK.sub("", sentence)))
            place += 1
            if sentence.startswith("#") or (found and not sentence.endswith((".", "!"))):
                heading = words
            elif _may_be_quoted(sentence) and len(words) >= 2:
                yield _Candidate(place, sentence, mark, words, heading)
        left -= len(message.text)
        if left <= 0:
            return


def _may_be_quoted(sentence: str) -> bool:
    # A person's earlier question answers nothing, nor does our own quoting of a text.
    return not sentence.endswith("?") and not sentence.startswith((">", "This is what I"))


def _marked(one: _Candidate) -> str:
    text = shortened(_MARK.sub("", one.text).strip(" -*#"), 500)
    return f"{text} {one.mark}".rstrip()


def _facts(text: str) -> Iterator[tuple[str, str]]:
    for clause in _CLAUSE_END.split(text):
        said = _FACT.search(clause)
        called = _CALLED.search(clause)
        if said:
            yield " ".join(plain_words(said[1])), said[2].strip(" ,")
        elif called:
            yield "name", called[1].strip()


def _first_sentence(text: str) -> str:
    return shortened(next(sentences_of(text), ""), 140)
