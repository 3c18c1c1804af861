"""Looking into the database, and filling it."""

from collections.abc import Sequence
from typing import Any

from django.db import connection


def fetch(query: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of the answer."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall() if cursor.description else []


def transactions() -> int:
    """What has been committed and rolled back so far, this call excluded."""
    fetch("SELECT pg_stat_clear_snapshot()")
    query = (
        "SELECT xact_commit + xact_rollback FROM pg_stat_database"
        " WHERE datname = current_database()"
    )
    return int(fetch(query)[0][0])


# A run that sleeps, as its first turn leaves it: the run, its journal of one row.
_SLEEPERS = """
    WITH sample AS (
        SELECT run.id AS run_id, item.id AS item_id
          FROM workflows_workflowrun AS run JOIN workflows_workitem AS item ON item.run_id = run.id
         WHERE run.id = %(run)s
    ), made AS (
        SELECT gen_random_uuid() AS run_id, gen_random_uuid() AS item_id
          FROM generate_series(1, %(count)s)
    ), runs AS (
        INSERT INTO workflows_workflowrun
        SELECT (jsonb_populate_record(run, jsonb_build_object('id', made.run_id))).*
          FROM made, sample, workflows_workflowrun AS run WHERE run.id = sample.run_id
    )
    INSERT INTO workflows_workitem
    SELECT (jsonb_populate_record(item,
                jsonb_build_object('id', made.item_id, 'run_id', made.run_id))).*
      FROM made, sample, workflows_workitem AS item WHERE item.id = sample.item_id
"""


def copy_sleeper(run_id: object, count: int) -> None:
    """``count`` more rows like those of this run, without starting anything."""
    for first in range(0, count, 10_000):
        fetch(_SLEEPERS, {"run": run_id, "count": min(10_000, count - first)})
    for table in ("workflows_workflowrun", "workflows_workitem"):
        fetch(f"ANALYZE {table}")
