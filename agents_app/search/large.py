"""The search of a tenant with too many passages to look at each.

By words: of those asked for, the rarest decide which passages are ranked, a few thousand at most;
finding all that has any of them is cheap, ranking it is not. By vectors: each is compared up to
``EXACT`` of them; above that the tenant's own partial index is walked, where there is one, and
what it finds is held against the rights. Where that leaves too little, all are compared: a short
list is never an answer.

Plans depend on the values: organisation and space stand in the statements as literals, which is
what Django's cursor makes of them. No index over all tenants is ever walked; filtered afterwards it
returns too little, silently.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db import connection

from agents_app.search.fusion import Candidate
from agents_app.search.legs import (
    LEXEMES,
    MAX_LEXEMES,
    STRICT,
    Asked,
    Scope,
    conditions,
    search_scope,
    vector_text,
)
from agents_app.search.texts import folded

LARGE: Final = 4_000  # passages; more are searched in this way
EXACT: Final = 20_000  # vectors that are compared one by one
MOST_RANKED: Final = 4_000
NEAREST: Final = 100  # taken from an index before rights are looked at
EF_SEARCH: Final = 200
VECTORS: Final = "agents_app_chunkembedding"
Nearest: TypeAlias = tuple[UUID, float, float]  # id, distance, weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Passages that may be searched: SQL of their tables, ``c`` and ``d`` among them, and of the
    condition that holds their organisation and the rights.

    weight: an expression. total: about how many there are.
    """

    organisation_id: UUID
    tables: str
    where: str
    values: Mapping[str, Any]
    weight: str
    total: int

    def scope(self, more: str = "", values: Mapping[str, Any] | None = None) -> Scope:
        """They, as far as ``more`` (SQL) holds and reaches, for ``search_scope``."""
        return Scope(
            organisation_id=self.organisation_id,
            sql=f"SELECT c.id AS item_id, c.tsv, {self.weight} AS weight "  # noqa: S608 - ours
            f"FROM {self.tables} WHERE {self.where} {more}",
            values={**self.values, **(values or {})},
            vectors=VECTORS,
        )


def search_large(rows: Rows, asked: Asked) -> list[Candidate]:
    """As ``search_scope``; call it within ``in_tenant``."""
    rows = _strictly(rows, asked)
    found = {one.item_id: one for one in _by_words(rows, asked)}
    if asked.vector is None or asked.space_id is None:
        return list(found.values())
    rank = 0
    for item_id, distance, weight in _by_vectors(rows, asked):
        if 1 - distance <= asked.threshold:
            continue
        known = found.get(item_id, Candidate(item_id=item_id, weight=weight))
        found[item_id] = replace(known, vector_rank=rank, similarity=1 - distance)
        rank += 1
    unknown = [one.item_id for one in found.values() if one.similarity is None]
    similarities = _similarities(rows, asked, unknown)
    return [
        replace(one, similarity=similarities[one.item_id]) if one.item_id in similarities else one
        for one in found.values()
    ]


def _strictly(rows: Rows, asked: Asked) -> Rows:
    """The rows that meet the query's conditions: for both legs, and before anything is cut off."""
    strict = conditions(folded(asked.text)) if asked.text_search and asked.strict else ""
    if not strict:
        return rows
    values = {**rows.values, "language": asked.language, "strict": strict}
    return replace(rows, where=f"{rows.where} AND {STRICT}", values=values)


# --- words -----------------------------------------------------------------------------------

# The lexeme of the tenant is in all its rows, which lets the index of words find those alone.
_FREQUENCIES = f"""
    SELECT l.lexeme, l.q::text, (
        SELECT count(*) FROM (
            SELECT FROM agents_app_chunk c WHERE c.organisation_id = %(organisation)s
                AND c.tsv @@ (l.q && %(tenant)s::tsquery) LIMIT %(most)s
        ) AS few
    ) FROM ({LEXEMES}) AS l
"""  # noqa: S608 - constants


def _by_words(rows: Rows, asked: Asked) -> list[Candidate]:
    words = folded(asked.text).strip() if asked.text_search else ""
    if not words:
        return []
    limits = {"tenant": f"'o:{rows.organisation_id}'", "most": MOST_RANKED}
    values: dict[str, Any] = {
        **limits,
        "organisation": rows.organisation_id,
        "words": words,
        "language": asked.language,
        "max_lexemes": MAX_LEXEMES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FREQUENCIES, values)
        terms = sorted(cursor.fetchall(), key=lambda row: (row[2], row[0]))
    present = [row for row in terms if row[2]]
    if not present:
        return []
    rarity = {row[0]: _weight(row[2], rows.total) for row in terms}
    ranked = replace(asked, vector=None, space_id=None, rarity=rarity)
    found: dict[UUID, Candidate] = {}
    looked = 0
    # The rarest may stand in what the person may not read, or what the query excludes.
    while looked < len(present) and len(found) < asked.candidates:
        rare = present[looked : looked + max(looked, len(_rarest(present[looked:])))]
        scope = rows.scope(
            "AND c.tsv @@ (%(rare)s::tsquery && %(tenant)s::tsquery) LIMIT %(most)s",
            {**limits, "rare": " | ".join(row[1] for row in rare)},
        )
        for one in sorted(search_scope(scope, ranked), key=lambda one: one.text_rank or 0):
            found.setdefault(one.item_id, replace(one, text_rank=len(found)))
        looked += len(rare)
    return list(found.values())[: asked.candidates]


def _rarest(terms: Sequence[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """The rarest terms whose passages are few enough to rank; one at least."""
    chosen, passages = [terms[0]], terms[0][2]
    for term in terms[1:]:
        passages += term[2]
        if passages > MOST_RANKED:
            break
        chosen.append(term)
    return chosen


def _weight(frequency: int, total: int) -> float:
    """As in ``legs``: a word that nothing has counts most, and tells how much is missing."""
    n = max(total, frequency)
    return math.log(1 + (n - frequency + 0.5) / (frequency + 0.5))


# --- vectors ---------------------------------------------------------------------------------

_NEAREST = """
WITH nearest AS MATERIALIZED (
    SELECT e.item_id, e.v::halfvec({dimensions}) <=> %(vector)s::halfvec({dimensions}) AS distance
    FROM {vectors} e WHERE e.organisation_id = %(organisation)s
    ORDER BY 2 LIMIT %(nearest)s
)
SELECT c.id, n.distance, {weight} FROM {tables} JOIN nearest n ON n.item_id = c.id WHERE {where}
"""
# The distance is written otherwise than in the index, which therefore cannot serve it.
_ALL = """
WITH compared AS MATERIALIZED (
    SELECT c.id, e.v <=> %(vector)s::halfvec AS distance, {weight} AS weight FROM {tables}
    JOIN {vectors} e ON e.organisation_id = %(organisation)s AND e.item_id = c.id WHERE {where}
)
SELECT id, distance, weight FROM compared ORDER BY distance, id DESC LIMIT %(candidates)s
"""


def index_name(space_id: int, organisation_id: UUID) -> str:
    """The partial index of one tenant's vectors in one space."""
    return f"emb_{int(space_id)}_{organisation_id.hex}"


def has_tenant_index(space_id: int, organisation_id: UUID) -> bool:
    """Whether it is there and whole."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)",
            [index_name(space_id, organisation_id)],
        )
        return bool(cursor.fetchone() == (True,))


def _by_vectors(rows: Rows, asked: Asked) -> list[Nearest]:
    """The nearest ``asked.candidates``, nearest first."""
    if rows.total > EXACT and has_tenant_index(asked.space_id or 0, rows.organisation_id):
        found = _from_index(rows, asked)
        if len(found) >= asked.candidates:
            return found[: asked.candidates]
    return _compared(rows, asked)


def _from_index(rows: Rows, asked: Asked) -> list[Nearest]:
    sql = _NEAREST.format(
        dimensions=len(asked.vector or ()),
        vectors=_partition(asked),
        weight=rows.weight,
        tables=rows.tables,
        where=rows.where,
    )
    settings = {
        "hnsw.ef_search": str(EF_SEARCH),
        "hnsw.iterative_scan": "strict_order",
        # Few vectors are sorted rather than found by an index, which costs the same.
        "enable_sort": "off",
    }
    with connection.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
        cursor.execute(sql, {**_values(rows, asked), "nearest": NEAREST})
        found = cursor.fetchall()
        cursor.execute("SELECT set_config('enable_sort', 'on', true)")
    return sorted(found, key=lambda row: row[1])


def _compared(rows: Rows, asked: Asked) -> list[Nearest]:
    sql = _ALL.format(
        weight=rows.weight, tables=rows.tables, where=rows.where, vectors=_partition(asked)
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, {**_values(rows, asked), "candidates": asked.candidates})
        found: list[Nearest] = cursor.fetchall()
    return found


def _similarities(rows: Rows, asked: Asked, ids: Sequence[UUID]) -> dict[UUID, float]:
    if not ids:
        return {}
    sql = f"""
        SELECT item_id, 1 - (v <=> %(vector)s::halfvec) FROM {_partition(asked)}
        WHERE organisation_id = %(organisation)s AND item_id = ANY(%(ids)s)
    """  # noqa: S608 - a name of ours and a number
    with connection.cursor() as cursor:
        cursor.execute(sql, {**_values(rows, asked), "ids": list(ids)})
        return dict(cursor.fetchall())


def _partition(asked: Asked) -> str:
    return f"{VECTORS}_{int(asked.space_id or 0)}"


def _values(rows: Rows, asked: Asked) -> dict[str, Any]:
    vector = vector_text(asked.vector or ())
    return {**rows.values, "organisation": rows.organisation_id, "vector": vector}
