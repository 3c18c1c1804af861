"""Both legs of a search in one statement over a scope that names its tenant.

The scope is materialised, which is what forbids the planner to walk a vector index over all
tenants and to filter afterwards: that returns too little, silently. Words are joined by OR and
weighted by how rare they are in the scope; AND finds nothing for a question in plain language.
Values are bound into the text of the statement by Django's cursor: a generic plan of a prepared
one is sixteen times slower.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import connection

from agents_app.search.fusion import CANDIDATES, Candidate
from agents_app.search.texts import folded

# Weights of D, C, B, A: the item's own words count 1, those around it less.
RANK_WEIGHTS: Final = "{0.3,0.5,0.5,1}"
MAX_LEXEMES: Final = 64
_CONDITION: Final = re.compile(r'(?:(?<!\S)-)?"[^"]+"|(?<!\S)-\w[^\s"]*')


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is searched: SQL that selects ``item_id``, ``tsv`` and ``weight``, with its values.

    vectors: the table of their vectors; it and the values' names are ours, never a client's.
    """

    organisation_id: UUID
    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)
    vectors: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query. vector: of ``space_id``; None leaves the leg out.

    language: a text search configuration. prefix: the last word may be the beginning of one.
    strict: quoted phrases and ``-word`` in ``text`` are conditions. threshold: a cosine has to be
    greater (CX-6). rarity: the weight of each lexeme, where the scope is a part of what counts.
    """

    text: str
    language: str = "english"
    vector: Sequence[float] | None = None
    space_id: int | None = None
    text_search: bool = True
    prefix: bool = False
    strict: bool = False
    threshold: float = -1.0
    candidates: int = CANDIDATES
    rarity: Mapping[str, float] | None = None


def search_scope(scope: Scope, asked: Asked) -> list[Candidate]:
    """The best of both legs, unordered; call it within ``in_tenant``."""
    words = folded(asked.text).strip() if asked.text_search else ""
    by_vector = asked.vector is not None and asked.space_id is not None
    if not words and not by_vector:
        return []
    strict = conditions(words) if asked.strict else ""
    whole = _STRICTLY.format(scope=scope.sql, strict=STRICT) if strict else scope.sql
    if not words:
        whole = _WITHOUT_WORDS.format(scope=whole)
    sql = _STATEMENT.format(
        scope=whole,
        lexemes=_PREFIXED if asked.prefix else LEXEMES,
        rarity=_GIVEN_RARITY if asked.rarity is not None else _RARITY,
        text=_TEXT if words else _NOTHING,
        vector=_VECTOR.format(vectors=scope.vectors) if by_vector else _NO_VECTORS,
        similarity=_SIMILARITY.format(vectors=scope.vectors) if by_vector else "NULL",
    )
    values = {
        **scope.values,
        "organisation": scope.organisation_id,
        "words": words,
        "strict": strict,
        "last": words.split()[-1] if words else "",
        "language": asked.language,
        "weights": RANK_WEIGHTS,
        "candidates": asked.candidates,
        "max_lexemes": MAX_LEXEMES,
        "threshold": asked.threshold,
        "space": asked.space_id,
        "vector": vector_text(asked.vector) if asked.vector is not None else None,
    }
    if asked.rarity is not None:
        values |= {
            "rarity_lexemes": list(asked.rarity),
            "rarity_weights": list(asked.rarity.values()),
        }
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [_candidate(row) for row in cursor.fetchall()]


def conditions(text: str) -> str:
    """The quoted phrases of a query and the words that must not occur; its other words are none:
    ``websearch_to_tsquery`` would demand them all."""
    return " ".join(_CONDITION.findall(text))


def vector_text(vector: Sequence[float]) -> str:
    """A vector as Postgres reads it."""
    return f"[{','.join(format(value, '.6g') for value in vector)}]"


def _candidate(row: tuple[Any, ...]) -> Candidate:
    item_id, text_rank, vector_rank, similarity, coverage, weight = row
    return Candidate(
        item_id=item_id,
        text_rank=None if text_rank is None else text_rank - 1,
        vector_rank=None if vector_rank is None else vector_rank - 1,
        similarity=None if similarity is None else float(similarity),
        coverage=float(coverage or 0.0),
        weight=float(weight),
    )


# A lexeme as a query of its own; tsquery refuses how ``quote_literal`` writes a backslash.
_QUOTED = """('''' || replace(replace(lexeme, '\\', '\\\\'), '''', '''''') || '''')"""
LEXEMES = f"""
    SELECT lexeme, {_QUOTED}::tsquery AS q
    FROM unnest(to_tsvector(%(language)s::regconfig, %(words)s)) LIMIT %(max_lexemes)s
"""  # noqa: S608 - constants
# Every word but the last as it is; the last one as the beginning of a word, or, as what is indexed
# are stems ("decis"), as the word that it is already ("decisions").
_PREFIXED = f"""
    (SELECT lexeme, {_QUOTED}::tsquery AS q
    FROM unnest(to_tsvector(%(language)s::regconfig,
                            left(%(words)s, -length(%(last)s)))) LIMIT %(max_lexemes)s)
    UNION ALL
    SELECT lexeme || '*',
        ({_QUOTED} || ':*')::tsquery || plainto_tsquery(%(language)s::regconfig, lexeme)
    FROM unnest(to_tsvector('simple', %(last)s))
"""  # noqa: S608
_RARITY = """
    SELECT l.lexeme, ln(1 + (n.n - count(h.item_id) + 0.5) / (count(h.item_id) + 0.5)) AS w
    FROM lex l LEFT JOIN hit h USING (lexeme), n GROUP BY l.lexeme, n.n
"""
_GIVEN_RARITY = """
    SELECT lexeme, w FROM unnest(%(rarity_lexemes)s::text[], %(rarity_weights)s::float[])
        AS given (lexeme, w)
"""
# Whether a passage's own words meet the ``conditions`` of a query.
STRICT = """(
    ts_filter(tsv, '{a}') @@ websearch_to_tsquery(%(language)s::regconfig, %(strict)s)
        OR numnode(websearch_to_tsquery(%(language)s::regconfig, %(strict)s)) = 0
)"""
# What is materialised for vectors alone carries no words: they are most of a row.
_WITHOUT_WORDS = "SELECT item_id, NULL::tsvector AS tsv, weight FROM ({scope}) slim"
_STRICTLY = "SELECT * FROM ({scope}) whole WHERE {strict}"
_TEXT = """
    SELECT item_id, row_number() OVER (ORDER BY rank DESC, item_id DESC) AS rk, coverage
    FROM (
        SELECT h.item_id, sum(h.r * i.w) AS rank,
               sum(i.w) / (SELECT nullif(sum(w), 0) FROM rarity) AS coverage
        FROM hit h JOIN rarity i USING (lexeme)
        GROUP BY h.item_id ORDER BY 2 DESC, 1 DESC LIMIT %(candidates)s
    ) best
"""
_NOTHING = "SELECT NULL::uuid AS item_id, NULL::bigint AS rk, NULL::float AS coverage WHERE false"
_NO_VECTORS = "SELECT NULL::uuid AS item_id, NULL::bigint AS rk WHERE false"
_VECTOR = """
    SELECT item_id, row_number() OVER (ORDER BY d, item_id DESC) AS rk
    FROM (
        SELECT s.item_id, e.v <=> %(vector)s::halfvec AS d
        FROM scope s JOIN {vectors} e ON e.space_id = %(space)s
            AND e.organisation_id = %(organisation)s AND e.item_id = s.item_id
        ORDER BY 2, 1 DESC LIMIT %(candidates)s
    ) nearest
    WHERE 1 - d > %(threshold)s
"""
_SIMILARITY = """
    (SELECT 1 - (e.v <=> %(vector)s::halfvec) FROM {vectors} e WHERE e.space_id = %(space)s
        AND e.organisation_id = %(organisation)s AND e.item_id = f.item_id)
"""
_STATEMENT = """
WITH scope AS MATERIALIZED ({scope}),
n AS (SELECT count(*)::float AS n FROM scope),
lex AS MATERIALIZED ({lexemes}),
hit AS MATERIALIZED (
    SELECT s.item_id, l.lexeme, ts_rank(%(weights)s::float4[], s.tsv, l.q) AS r
    FROM scope s JOIN lex l ON s.tsv @@ l.q
),
rarity AS MATERIALIZED ({rarity}),
txt AS ({text}),
vec AS ({vector}),
found AS MATERIALIZED (
    SELECT item_id, txt.rk AS text_rank, vec.rk AS vector_rank, txt.coverage
    FROM txt FULL JOIN vec USING (item_id)
)
SELECT f.item_id, f.text_rank, f.vector_rank, {similarity}, f.coverage, s.weight
FROM found f JOIN scope s USING (item_id)
"""
