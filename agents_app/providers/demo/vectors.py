"""Texts as vectors without a model: hashed words and parts of words, so shared ones make near.

Deterministic on every machine. Knows nothing of meaning: "car" and "auto" are as far apart as any.
"""

from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from math import log, sqrt

from agents_app.providers.demo.words import key_words, plain_words

MAX_CHARS = 32_000
PART = 3
PART_WEIGHT = 0.25
COMMON_WEIGHT = 0.1  # of words like "the", so that a text of them alone is a vector as well


def vector_of(text: str, dimensions: int) -> tuple[float, ...]:
    """A vector of length 1 (L2)."""
    values = [0.0] * dimensions
    for feature, weight in _features(text[:MAX_CHARS]).items():
        place, sign = _slot(feature)
        values[place % dimensions] += sign * weight
    length = sqrt(sum(value * value for value in values))
    if not length:
        values[0] = length = 1.0
    return tuple(value / length for value in values)


def _features(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for word, count in Counter(key_words(text)).items():
        often = 1 + log(count)
        found[word] = often
        padded = f"^{word}$"
        for start in range(len(padded) - PART + 1):
            part = "#" + padded[start : start + PART]
            found[part] = found.get(part, 0.0) + PART_WEIGHT * often
    for word, count in Counter(plain_words(text)).items():
        found["." + word] = COMMON_WEIGHT * (1 + log(count))
    return found


@lru_cache(maxsize=50_000)
def _slot(feature: str) -> tuple[int, float]:
    digest = blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest()
    number = int.from_bytes(digest, "big")
    return number >> 1, 1.0 if number & 1 else -1.0
