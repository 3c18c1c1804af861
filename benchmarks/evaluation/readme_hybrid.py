"""The anchor: hybrid search as it is usually put together with pgvector, to compare with.

The text must hold ALL words of the question (``plainto_tsquery``), is ranked with ``ts_rank_cd``
and knows nothing of its neighbours; vectors are of the text alone; reciprocal rank fusion with
k = 60 over 20 candidates of each side. It keeps its own temporary table.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connections

CANDIDATES = 20
K = 60

_CREATE = """
CREATE TEMPORARY TABLE anchor_item (
    id text PRIMARY KEY,
    words tsvector NOT NULL,
    meaning vector NOT NULL
)
"""
_INSERT = """
INSERT INTO anchor_item (id, words, meaning)
VALUES (%s, to_tsvector('english', %s), %s::vector)
"""
_SEARCH = """
WITH by_meaning AS (
    SELECT id, row_number() OVER (ORDER BY meaning <=> %(vector)s::vector, id) AS place
    FROM anchor_item
    ORDER BY place
    LIMIT %(candidates)s
), by_words AS (
    SELECT id, row_number() OVER (ORDER BY ts_rank_cd(words, asked) DESC, id) AS place
    FROM anchor_item, plainto_tsquery('english', %(question)s) AS asked
    WHERE words @@ asked
    ORDER BY place
    LIMIT %(candidates)s
)
SELECT id
FROM (SELECT id, place FROM by_meaning UNION ALL SELECT id, place FROM by_words) AS candidate
GROUP BY id
ORDER BY sum(1.0 / (%(k)s + place)) DESC, id
LIMIT %(limit)s
"""


class ReadmeHybrid:
    """Texts with vectors of one dimension, for as long as the connection lives."""

    def __init__(self, items: Iterable[tuple[str, str, Sequence[float]]], using: str) -> None:
        """``items``: id, text, vector of that text. ``using``: the alias of the database."""
        self._using = using
        with connections[using].cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS anchor_item")
            cursor.execute(_CREATE)
            cursor.executemany(
                _INSERT, [(name, text, _literal(vector)) for name, text, vector in items]
            )

    def search(self, question: str, vector: Sequence[float], limit: int = 10) -> list[str]:
        """Ids, best first."""
        values: dict[str, Any] = {
            "question": question,
            "vector": _literal(vector),
            "candidates": CANDIDATES,
            "k": K,
            "limit": limit,
        }
        with connections[self._using].cursor() as cursor:
            cursor.execute(_SEARCH, values)
            return [row[0] for row in cursor.fetchall()]


def _literal(vector: Sequence[float]) -> str:
    return "[" + ",".join(str(float(number)) for number in vector) + "]"
