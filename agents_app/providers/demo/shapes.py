"""Answers of a shape: lists, tables, code and long texts. Deterministic, all words our own."""

import re
from collections.abc import Iterator
from zlib import crc32

from agents_app.providers.demo.code_samples import DEFAULT_SAMPLE, SAMPLES
from agents_app.providers.demo.words import plain_words

MAX_WORDS = 60_000  # about 300 KB
_BYTES_PER_WORD = 5.0  # a little less than the texts below have, spaces included

_TOPIC = re.compile(
    r"\b(?:about|on|of|for|regarding)\s+(?:the\s+|an?\s+)?([^.,;:!?\n]{2,60})", re.IGNORECASE
)
_COUNT = re.compile(r"\b(\d{1,6})[\s-]*(words?|paragraphs?|sentences?|kb|kilobytes?)\b", re.I)
_ITEMS = re.compile(r"\b(\d{1,3})\s+(?:\w+\s+)?(?:items?|ideas?|tips?|points?|reasons?|steps?)\b")

_SENTENCES = (
    "A good place to start with {topic} is to say plainly what it is for.",
    "People who work with {topic} every day tend to agree on the basics and differ on the details.",
    "Small steps matter here, because each one can be checked before the next begins.",
    "It helps to write down what is known about {topic}, and to mark what is only assumed.",
    "When two goals pull in different directions, the simpler one usually deserves to win.",
    "The first attempt at {topic} teaches more than a long plan made in advance.",
    "A short list of examples makes the idea easier to remember than a definition.",
    "Questions that seem too obvious to ask about {topic} are often the useful ones.",
    "Time spent on naming things well is repaid each time someone reads them.",
    "With {topic}, a steady pace serves better than a burst of effort followed by a pause.",
    "Anything that is measured should be measured twice, in two different ways.",
    "What works for a small group may need a second look when many people rely on it.",
    "It is worth asking who is affected by {topic} and has not been heard yet.",
    "A calm review at the end of each week keeps surprises small.",
    "The cost of changing one's mind about {topic} is lowest at the beginning.",
    "Notes taken along the way become the best introduction for the next person.",
    "There is seldom one right answer, but there are many that can be ruled out early.",
    "In the end {topic} is judged by how it serves the people who depend on it.",
)

_TIPS = (
    "Write down the goal in one sentence",
    "Gather what is already known",
    "Talk to someone who has done it before",
    "Choose the smallest useful first step",
    "Set a date for looking at the result",
    "Keep notes of what surprised you",
    "Ask for a second opinion early",
    "Remove what nobody uses",
    "Check the result against the goal",
    "Share what you learned",
)

_TABLE = (
    ("Ask for", "For example", "You get"),
    ("a list", "Give me 5 tips about onboarding", "numbered points"),
    ("a table", "Show me a table", "this kind of answer"),
    ("code", "Write Python code for primes", "a code block"),
    ("a long text", "Write 500 words about tea", "paragraphs with headings"),
    ("a sum", "What is 12 * 7?", "the result"),
)


def topic_of(text: str) -> str:
    """What a request is about: the words after "about", "on", "of" or "for"."""
    found = _TOPIC.search(text)
    return found[1].strip() if found else "this subject"


def code_answer(question: str) -> str:
    """A Python sample; the topic is chosen by a word of the question."""
    words = " ".join(plain_words(question))
    found = (sample for sample in SAMPLES if sample[0] in words)
    _, what, code = next(found, DEFAULT_SAMPLE)
    return (
        f"Here is a short Python example: {what}.\n\n```python\n{code}```\n\nIt needs no packages."
    )


def table_answer(question: str) -> str:
    """A Markdown table: of the items the question lists after a colon, else of what to ask for."""
    _, _, listed = question.partition(":")
    items = [item.strip(" .!?\n") for item in listed.split(",")]
    if len(items) >= 2 and all(items):
        head: tuple[str, ...] = ("No.", "Item", "Letters")
        rows = [(str(i), item, str(len(item))) for i, item in enumerate(items, 1)]
    else:
        head, *rest = _TABLE
        rows = [(row[0], row[1], row[2]) for row in rest]
    lines = [_row(head), _row(tuple("---" for _ in head)), *map(_row, rows)]
    return "Here is a table:\n\n" + "\n".join(lines)


def list_answer(question: str) -> str:
    """A numbered list of as many points as asked for, five by default and thirty at most."""
    found = _ITEMS.search(question.lower())
    count = max(1, min(int(found[1]), 30)) if found else 5
    lines = [f"{i}. {_tip(i - 1)}." for i in range(1, count + 1)]
    return f"Some points on {topic_of(question)}:\n\n" + "\n".join(lines)


def long_answer(question: str) -> str:
    """As much text as asked for: words, sentences, paragraphs or kilobytes; 1,000 words if not."""
    topic = topic_of(question)
    found = _COUNT.search(question)
    number, unit = (int(found[1]), found[2].lower()) if found else (1000, "words")
    if unit.startswith("paragraph"):
        return "\n\n".join(_paragraphs(topic, min(number, MAX_WORDS // 60)))
    if unit.startswith("sentence"):
        return " ".join(_sentence(topic, i) for i in range(min(number, MAX_WORDS // 15)))
    words = number if unit.startswith("word") else round(number * 1024 / _BYTES_PER_WORD)
    return exact_words(topic, max(1, min(words, MAX_WORDS)))


def asks_for_length(text: str) -> bool:
    """Whether a text says how long the answer should be."""
    return _COUNT.search(text) is not None


def exact_words(topic: str, count: int) -> str:
    """A text about `topic` of exactly `count` words (split at white space), with headings."""
    left = count
    blocks: list[str] = []
    for number, paragraph in enumerate(_paragraphs(topic, count)):
        if number and number % 4 == 0 and left > 3:
            blocks.append(f"## Part {number // 4 + 1}")
            left -= 3
        words = paragraph.split(" ")[:left]
        blocks.append(" ".join(words))
        left -= len(words)
        if left <= 0:
            break
    text = "\n\n".join(blocks)
    return text if text.endswith(".") else text.rstrip(",;") + "."


def _paragraphs(topic: str, count: int) -> Iterator[str]:
    for number in range(count):
        yield " ".join(_sentence(topic, number * 5 + step) for step in range(5))


def _sentence(topic: str, number: int) -> str:
    # Seven has no factor in common with 18: every sentence comes before one comes again. The
    # topic's checksum lets different topics start differently.
    start = crc32(topic.encode("utf-8", "replace"))
    return _SENTENCES[(start + number * 7) % len(_SENTENCES)].format(topic=topic)


def _tip(number: int) -> str:
    again = number // len(_TIPS)
    return _TIPS[number % len(_TIPS)] + (f", for the {_times(again + 1)} time" if again else "")


def _times(number: int) -> str:
    return {2: "second", 3: "third"}[number]


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
