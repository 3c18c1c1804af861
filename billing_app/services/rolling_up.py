"""Sums of usage by UTC day, made of the rows and equal to them.

Days that have ended are summed up, whole (organisation, day)s at a time: a late row makes its day
be computed anew. What runs twice, or at the same time, ends the same. Pages read sums of days
before ``rolled_through()`` and rows from there on.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from billing_app.models import RollUpMark, UsageDaily, UsageDailyByPerson, UsageRecord

# How long a transaction that records usage may take until it commits: rows say when they were
# written, and are seen later.
MARGIN: Final = timedelta(hours=1)
# Of advisory locks: one run at a time.
LOCK: Final = 0x0E5_0118
DAY: Final = timedelta(days=1)
# What each of the tables sums by, beside organisation, day, provider and model.
TABLES: Final = (
    (UsageDaily, ("agent_id", "agent_name")),
    (UsageDailyByPerson, ("user_id", "team_id")),
)


class Touched(NamedTuple):
    """Whose days are to be computed: of organisations, and of the installation itself."""

    organisations: list[UUID]
    days: list[date]
    own_days: list[date]


def rolled_through() -> date | None:
    """Days before this one are summed up; None when none is."""
    return RollUpMark.objects.values_list("through", flat=True).first()


def roll_up(now: datetime | None = None, *, afresh: bool = False) -> int:
    """Sum up what has ended and what has come in late; returns how many organisations' days.

    One transaction, which locks nothing that others wait for. ``afresh``: forget all sums first,
    for rows that were written with ``recorded_at`` in the past.
    """
    with transaction.atomic():
        _lock("pg_advisory_xact_lock")
        mark, _ = RollUpMark.objects.get_or_create(pk=1)
        today = (now or timezone.now()).astimezone(UTC).date()
        through = max(today, mark.through or today)
        # The clock of recorded_at.
        seen_at = _value("SELECT statement_timestamp()")
        if afresh or mark.through is None or mark.seen_at is None:
            computed = _sum_all(through)
        else:
            computed = _sum_touched(_touched(_since(mark, through), through))
        RollUpMark.objects.filter(pk=1).update(through=through, seen_at=seen_at)
    return computed


def hold_off() -> None:
    """Until the caller's transaction ends, sums wait; first thing in it."""
    _lock("pg_advisory_xact_lock_shared")


def look_again_from(moment: datetime) -> None:
    """Have the next run look at all that was recorded from ``moment`` on; after ``hold_off``."""
    RollUpMark.objects.filter(seen_at__gt=moment).update(seen_at=moment)


def _since(mark: RollUpMark, through: date) -> datetime:
    """From when on records may not be in the sums."""
    assert mark.seen_at is not None
    assert mark.through is not None
    ended = datetime.combine(mark.through, time(), UTC)
    return (min(mark.seen_at, ended) if through > mark.through else mark.seen_at) - MARGIN


def _touched(since: datetime, through: date) -> Touched:
    pairs = _rows(
        """
        SELECT DISTINCT organisation_id, (occurred_at AT TIME ZONE 'UTC')::date
        FROM {usage} WHERE recorded_at >= %(since)s AND occurred_at < %(until)s
        """,
        {"since": since, "until": datetime.combine(through, time(), UTC)},
    )
    return Touched(
        [organisation for organisation, _ in pairs if organisation],
        [day for organisation, day in pairs if organisation],
        [day for organisation, day in pairs if not organisation],
    )


def _sum_touched(touched: Touched) -> int:
    theirs = {"organisations": touched.organisations, "days": touched.days}
    if touched.days:
        _sum(
            """
            JOIN unnest(%(organisations)s::uuid[], %(days)s::date[]) AS t (organisation, day)
            ON u.organisation_id = t.organisation
                AND u.occurred_at >= t.day::timestamp AT TIME ZONE 'UTC'
                AND u.occurred_at < (t.day + 1)::timestamp AT TIME ZONE 'UTC'
            """,
            """
            USING unnest(%(organisations)s::uuid[], %(days)s::date[]) AS t (organisation, day)
            WHERE d.organisation_id = t.organisation AND d.day = t.day
            """,
            theirs,
        )
    if touched.own_days:
        _sum(
            """
            JOIN unnest(%(days)s::date[]) AS t (day) ON u.organisation_id IS NULL
                AND u.occurred_at >= t.day::timestamp AT TIME ZONE 'UTC'
                AND u.occurred_at < (t.day + 1)::timestamp AT TIME ZONE 'UTC'
            """,
            "WHERE d.organisation_id IS NULL AND d.day = ANY(%(days)s::date[])",
            {"days": touched.own_days},
        )
    return len(touched.days) + len(touched.own_days)


def _sum_all(through: date) -> int:
    until = {"until": datetime.combine(through, time(), UTC)}
    _sum("WHERE u.occurred_at < %(until)s", "", until)
    found = _value("SELECT count(*) FROM (SELECT DISTINCT organisation_id, day FROM {daily}) AS d")
    return int(found)


def _sum(of_usage: str, of_sums: str, values: dict[str, Any]) -> None:
    """Replace the sums that ``of_sums`` tells of by those of the rows that ``of_usage`` does."""
    for model, by in TABLES:
        names: dict[str, sql.Composable] = {
            "sums": sql.Identifier(model._meta.db_table),
            "by": sql.SQL(", ").join(map(sql.Identifier, by)),
        }
        _execute(f"DELETE FROM {{sums}} AS d {of_sums}", values, names)  # noqa: S608
        _execute(f"{_INSERT} {of_usage} {_GROUP}", values, names)


_INSERT: Final = """
INSERT INTO {sums} (organisation_id, day, provider, model, {by}, calls, input_tokens,
    cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, estimated_calls,
    unpriced_calls, cost)
SELECT u.organisation_id, (u.occurred_at AT TIME ZONE 'UTC')::date AS utc_day, u.provider, u.model,
    {by}, count(*), sum(u.input_tokens), sum(u.cached_input_tokens), sum(u.cache_write_tokens),
    sum(u.output_tokens), sum(u.reasoning_tokens),
    count(*) FILTER (WHERE u.is_estimated OR u.pricing = 'flat'),
    count(*) FILTER (WHERE u.cost IS NULL), coalesce(sum(u.cost), 0)
FROM {usage} AS u
"""
_GROUP: Final = "GROUP BY u.organisation_id, utc_day, u.provider, u.model, {by}"


def _lock(function: str) -> None:
    _value(f"SELECT {function}(%(lock)s)", {"lock": LOCK})


def _value(statement: str, values: dict[str, Any] | None = None) -> Any:
    return _rows(statement, values or {})[0][0]


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_composed(statement, {}), values)
        return list(cursor.fetchall())


def _execute(statement: str, values: dict[str, Any], names: dict[str, sql.Composable]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_composed(statement, names), values)


def _composed(statement: str, names: dict[str, sql.Composable]) -> str:
    """A statement of this module with its names; ``{usage}`` and ``{daily}`` are tables."""
    tables = {
        "usage": sql.Identifier(UsageRecord._meta.db_table),
        "daily": sql.Identifier(UsageDaily._meta.db_table),
    }
    return sql.SQL(statement).format(**tables, **names).as_string()
