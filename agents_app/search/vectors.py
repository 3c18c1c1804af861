"""Vectors in their tables: written, asked for, paged, deleted. SQL only; call it ``in_tenant``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from agents_app.search.kinds import EmbeddedKind, EmbeddedText
from agents_app.search.legs import vector_text

PAGE_LIMIT = 300  # EM-1
# In the meta of an item: the hash of the text that a space's model refuses, by the space's number.
REFUSED = "no_vector"


@dataclass(frozen=True, slots=True)
class VectorPage:
    """Ids of items that have a vector, in their order; ``continue_cursor`` None: no more."""

    page: list[UUID]
    continue_cursor: UUID | None


def store_vectors(
    kind: EmbeddedKind,
    space_id: int,
    organisation_id: UUID,
    rows: Iterable[tuple[EmbeddedText, Sequence[float]]],
) -> None:
    """Insert or replace. An item deleted meanwhile is left out."""
    found = list(rows)
    if not found:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO {kind.vectors} (space_id, organisation_id, item_id, content_hash, v)
            SELECT %s, %s, g.item_id, g.content_hash, g.v::halfvec
            FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS g (item_id, content_hash, v)
            JOIN {kind.items} i ON i.id = g.item_id AND i.organisation_id = %s
            ORDER BY g.item_id
            FOR KEY SHARE OF i
            ON CONFLICT (space_id, organisation_id, item_id)
            DO UPDATE SET content_hash = EXCLUDED.content_hash, v = EXCLUDED.v
            """,  # noqa: S608 - names of our own tables
            [
                space_id,
                organisation_id,
                [text.item_id for text, _ in found],
                [text.content_hash for text, _ in found],
                [vector_text(vector) for _, vector in found],
                organisation_id,
            ],
        )


def copy_known(
    kind: EmbeddedKind, space_id: int, organisation_id: UUID, texts: Sequence[EmbeddedText]
) -> set[UUID]:
    """Give items the vector that the same text has elsewhere in the tenant; returns their ids.

    Also those that have theirs already: nothing of what it returns needs a model.
    """
    if not texts:
        return set()
    values: list[list[Any]] = [
        [text.item_id for text in texts],
        [text.content_hash for text in texts],
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO {kind.vectors} (space_id, organisation_id, item_id, content_hash, v)
            SELECT %s, %s, g.item_id, g.content_hash, known.v
            FROM unnest(%s::uuid[], %s::text[]) AS g (item_id, content_hash)
            JOIN {kind.items} i ON i.id = g.item_id AND i.organisation_id = %s
            CROSS JOIN LATERAL (
                SELECT e.v FROM {kind.vectors} e WHERE e.space_id = %s AND e.organisation_id = %s
                    AND e.content_hash = g.content_hash LIMIT 1
            ) known
            ON CONFLICT (space_id, organisation_id, item_id)
            DO UPDATE SET content_hash = EXCLUDED.content_hash, v = EXCLUDED.v
            WHERE {kind.vectors}.content_hash <> EXCLUDED.content_hash
            """,  # noqa: S608
            [space_id, organisation_id, *values, organisation_id, space_id, organisation_id],
        )
        cursor.execute(
            f"""
            SELECT g.item_id FROM unnest(%s::uuid[], %s::text[]) AS g (item_id, content_hash)
            JOIN {kind.vectors} e ON e.space_id = %s AND e.organisation_id = %s
                AND e.item_id = g.item_id AND e.content_hash = g.content_hash
            """,  # noqa: S608
            [*values, space_id, organisation_id],
        )
        return {row[0] for row in cursor.fetchall()}


def missing_ids(
    kind: EmbeddedKind, space_id: int, organisation_id: UUID, after: UUID | None, limit: int
) -> list[UUID]:
    """Items without a vector, or with one of another text, by id from ``after`` on.

    An empty hash is that of an item older than this search: any vector of it is its own. What the
    model has refused (``refuse_items``) is not missing, as long as it has the same text.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT i.id FROM {kind.items} i
            LEFT JOIN {kind.vectors} e ON e.space_id = %s AND e.organisation_id = %s
                AND e.item_id = i.id AND i.content_hash IN (e.content_hash, '')
            WHERE i.organisation_id = %s AND e.item_id IS NULL AND (%s::uuid IS NULL OR i.id > %s)
                AND i.meta #>> ARRAY['{REFUSED}', %s] IS DISTINCT FROM i.content_hash
            ORDER BY i.id LIMIT %s
            """,  # noqa: S608
            [space_id, organisation_id, organisation_id, after, after, str(space_id), limit],
        )
        return [row[0] for row in cursor.fetchall()]


def refuse_items(
    kind: EmbeddedKind, space_id: int, organisation_id: UUID, texts: Sequence[EmbeddedText]
) -> None:
    """Note in the meta of these items that the space's model takes their present text never."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {kind.items} i SET meta = i.meta || jsonb_build_object('{REFUSED}',
                coalesce(i.meta -> '{REFUSED}', '{{}}') || jsonb_build_object(%s, i.content_hash))
            FROM unnest(%s::uuid[], %s::text[]) AS g (item_id, content_hash)
            WHERE i.organisation_id = %s AND i.id = g.item_id
                AND i.content_hash IN (g.content_hash, '')
            """,  # noqa: S608
            [
                str(space_id),
                [text.item_id for text in texts],
                [text.content_hash for text in texts],
                organisation_id,
            ],
        )


def count_items(kind: EmbeddedKind, organisation_id: UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {kind.items} WHERE organisation_id = %s",  # noqa: S608
            [organisation_id],
        )
        return int(cursor.fetchone()[0])


def page_vectors(
    kind: EmbeddedKind, space_id: int, organisation_id: UUID, cursor: UUID | None, limit: int = 100
) -> VectorPage:
    """A page of at most 300 (EM-1)."""
    limit = max(1, min(limit, PAGE_LIMIT))
    with connection.cursor() as statement:
        statement.execute(
            f"""
            SELECT item_id FROM {kind.vectors}
            WHERE space_id = %s AND organisation_id = %s AND (%s::uuid IS NULL OR item_id > %s)
            ORDER BY item_id LIMIT %s
            """,  # noqa: S608
            [space_id, organisation_id, cursor, cursor, limit + 1],
        )
        ids = [row[0] for row in statement.fetchall()]
    return VectorPage(ids[:limit], ids[limit - 1] if len(ids) > limit else None)


def present_ids(
    kind: EmbeddedKind, space_id: int, organisation_id: UUID, ids: Sequence[UUID]
) -> set[UUID]:
    """Those of the items that have a vector."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT item_id FROM {kind.vectors}
            WHERE space_id = %s AND organisation_id = %s AND item_id = ANY(%s)
            """,  # noqa: S608
            [space_id, organisation_id, list(ids)],
        )
        return {row[0] for row in cursor.fetchall()}


def delete_vectors(
    kind: EmbeddedKind, space_id: int, organisation_id: UUID, ids: Sequence[UUID]
) -> int:
    """How many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            DELETE FROM {kind.vectors}
            WHERE space_id = %s AND organisation_id = %s AND item_id = ANY(%s)
            """,  # noqa: S608
            [space_id, organisation_id, list(ids)],
        )
        return int(cursor.rowcount)
