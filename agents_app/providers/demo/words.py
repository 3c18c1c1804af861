"""Words, sentences and tokens, as the demo model counts and compares them.

Simple on purpose and for English; no language model's tokeniser.
"""

import re
from collections.abc import Iterable, Iterator

# Searches for patterns look no further into a message; some take quadratic time.
MAX_QUESTION_CHARS = 2_000

# A token is at most eight letters, or a run of signs, with the space before it. The tokens of a
# text joined are the text.
_TOKEN = re.compile(r"\s*\w{1,8}|\s*[^\w\s]+|\s+")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=\S)|\n+")

_COMMON_WORDS = """
a about above after again all also am an and any are as at be because been before being
but by can could did do does doing down during each few for from further get give had has have
having he her here him his how i if in into is it its itself just know let like may me might
more most much must my no nor not now of off on once only or other our out over own please
same say shall she should show so some such tell than that the their them then there these
they this those through to too under until up us use used using very was we were what when
where which while who whom whose why will with would you your
"""
_COMMON = frozenset(_COMMON_WORDS.split())


def tokens_of(text: str) -> list[str]:
    """The text cut into tokens; nothing is lost."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """How many tokens `tokens_of` gives."""
    return len(tokens_of(text))


def sentences_of(text: str) -> Iterator[str]:
    """The sentences and lines of a text, stripped, without empty ones."""
    for piece in _SENTENCE_END.split(text):
        stripped = piece.strip()
        if stripped:
            yield stripped


def plain_words(text: str) -> list[str]:
    """All words in lower case, in order."""
    return [word.lower() for word in _WORD.findall(text)]


def key_words(text: str) -> list[str]:
    """Words that say what a text is about, cut to their stems, in order."""
    bare = (word.removesuffix("'s") for word in plain_words(text))
    return [stem(word) for word in bare if word not in _COMMON]


def stem(word: str) -> str:
    """A word without the commonest English endings: "refunds" and "refunded" become "refund"."""
    for ending, least in (("ies", 5), ("ing", 6), ("ed", 5), ("es", 5), ("s", 4)):
        if word.endswith(ending) and len(word) >= least and not word.endswith("ss"):
            cut = word[: -len(ending)]
            return cut + "y" if ending == "ies" else cut
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def shortened(text: str, limit: int) -> str:
    """The text on one line, cut at a word with an ellipsis when longer than `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[:limit].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def joined(items: Iterable[str]) -> str:
    """Items as a phrase: "a, b and c"."""
    listed = list(items)
    return " and ".join(filter(None, [", ".join(listed[:-1]), *listed[-1:]]))
