"""Reciprocal rank fusion: two ranked lists become one. Pure.

k = 10 over 20 candidates a list: with the usual 60 and 50 the fusion found less than words alone
(docs/search.md). A list that lacks an item adds nothing to its score (CX-12; CX-13 is the bug).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

K: Final = 10
CANDIDATES: Final = 20  # of each leg


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the legs say of one item; ranks count from 0, None where a leg has not found it.

    similarity: the cosine, where item and query have a vector. coverage: the share of the query's
    words that it has, weighted by how rare they are. weight multiplies its score.
    """

    item_id: UUID
    text_rank: int | None = None
    vector_rank: int | None = None
    similarity: float | None = None
    coverage: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A found item. score: only to be compared within one search. relevance: 0 to 1."""

    item_id: UUID
    score: float
    relevance: float
    candidate: Candidate


def score(candidate: Candidate, k: int = K) -> float:
    """The sum of ``1 / (k + rank)`` over the lists that have it, times its weight."""
    ranks = (candidate.text_rank, candidate.vector_rank)
    return candidate.weight * sum(1.0 / (k + rank) for rank in ranks if rank is not None)


def fuse(candidates: Iterable[Candidate], limit: int, k: int = K) -> list[Hit]:
    """The best ``limit``, best first; of equals the newer one (ids grow with time)."""
    hits = [Hit(one.item_id, score(one, k), _relevance(one), one) for one in candidates]
    order: Callable[[Hit], tuple[float, UUID]] = lambda hit: (hit.score, hit.item_id)  # noqa: E731
    return sorted(hits, key=order, reverse=True)[:limit]


def _relevance(candidate: Candidate) -> float:
    """The cosine; without vectors the share of the query's words."""
    found = candidate.coverage if candidate.similarity is None else candidate.similarity
    return round(max(0.0, min(1.0, found)), 4)
