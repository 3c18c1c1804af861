"""Vectors in bulk, as the role ``one_app``: past no security, and not through the text of SQL.

``COPY`` refuses tables under row-level security; it fills a table of the session, and one INSERT
within the tenant takes the rows from there.
"""

import struct
from collections.abc import Sequence
from typing import Any
from uuid import UUID

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def write_vectors(table: str, space_id: int, organisation_id: UUID, rows: Any) -> None:
    """rows: pairs of the ids of items and their vectors, an array of (n, dimensions)."""
    from django.db import connection

    from one_project.common.tenancy import in_tenant

    ids, vectors = rows
    with in_tenant(organisation_id), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS given (item_id uuid, v halfvec) ON COMMIT DELETE ROWS"
        )
        copy_vectors(cursor, "given", ids, vectors)
        cursor.execute(
            f"""
            INSERT INTO {table} (space_id, organisation_id, item_id, content_hash, v)
            SELECT %s, %s, item_id, '', v FROM given
            """,
            [space_id, organisation_id],
        )
        cursor.execute("TRUNCATE given")


def copy_vectors(cursor: Any, table: str, ids: Sequence[UUID], vectors: Any) -> None:
    """Into two columns, an id and a halfvec, of an unsecured table."""
    dimensions = vectors.shape[1]
    head = struct.pack(">hh", dimensions, 0)
    begin = struct.pack(">hi", 2, 16)
    length = struct.pack(">i", len(head) + 2 * dimensions)
    halves = vectors.astype(">f2")
    with cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
        copy.write(_HEADER)
        for item_id, half in zip(ids, halves, strict=True):
            copy.write(begin + item_id.bytes + length + head + half.tobytes())
        copy.write(struct.pack(">h", -1))


def analyse() -> None:
    """Have the planner know the new rows, as autovacuum would soon; only an owner may."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
