"""The plain aggregates that the product's work is compared with: what Postgres needs for the sums
alone, nothing stored and nothing shown."""

import time
from datetime import date, datetime
from typing import Any

SUMS = """count(*), sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
    sum(output_tokens), sum(reasoning_tokens), sum(cost)"""

MONTH = f"""
SELECT organisation_id, user_id, provider, model, {SUMS} FROM billing_app_usagerecord
WHERE occurred_at >= %(start)s AND occurred_at < %(end)s GROUP BY 1, 2, 3, 4
"""
ORGANISATION = f"""
SELECT user_id, provider, model, {SUMS} FROM billing_app_usagerecord
WHERE organisation_id = %(organisation)s AND occurred_at >= %(start)s AND occurred_at < %(end)s
GROUP BY 1, 2, 3
"""
BY_AGENT = f"""
SELECT organisation_id, (occurred_at AT TIME ZONE 'UTC')::date, provider, model, agent_id,
    agent_name, {SUMS} FROM billing_app_usagerecord
WHERE occurred_at >= %(start)s AND occurred_at < %(end)s GROUP BY 1, 2, 3, 4, 5, 6
"""
BY_PERSON = f"""
SELECT organisation_id, (occurred_at AT TIME ZONE 'UTC')::date, provider, model, user_id, team_id,
    {SUMS} FROM billing_app_usagerecord
WHERE occurred_at >= %(start)s AND occurred_at < %(end)s GROUP BY 1, 2, 3, 4, 5, 6
"""
ALL = f"SELECT {SUMS} FROM billing_app_usagerecord"
COPIED = """
COPY (SELECT * FROM billing_app_usagerecord WHERE organisation_id = {}
    AND occurred_at >= {} AND occurred_at < {} ORDER BY occurred_at, id) TO STDOUT (FORMAT csv)
"""


def seconds_of(*statements: str, **values: Any) -> float:
    """How long the statements take one after the other, their rows read."""
    from django.db import connection

    begun = time.perf_counter()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, values)
            cursor.fetchall()
    return time.perf_counter() - begun


def seconds_of_copy(organisation_id: Any, start: datetime, end: datetime) -> float:
    """Of reading an organisation's rows as CSV from Postgres itself."""
    from django.db import connection
    from psycopg import sql

    begun = time.perf_counter()
    with connection.cursor() as cursor:
        values = (sql.Literal(str(value)) for value in (organisation_id, start, end))
        statement = sql.SQL(COPIED).format(*values).as_string(cursor.connection)
        with cursor.copy(statement) as copied:
            for _ in copied:
                pass
    return time.perf_counter() - begun


def bounds_of(month: date) -> dict[str, datetime]:
    from billing_app.types.periods import bounds

    start, end = bounds(month)
    return {"start": start, "end": end}
