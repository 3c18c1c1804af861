"""Billing periods: months of UTC, half open, named by their first day. Pure.

Whatever the zone of the process, of the database session or of a person, a moment belongs to the
month that its UTC date is in.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

# Invoices of a month are made on this day of the next one, at 00:00 UTC.
BILLING_DAY: Final = 2


def period_of(moment: datetime) -> date:
    """The first day of the UTC month ``moment`` is in. Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("A moment has a time zone.")
    return moment.astimezone(UTC).date().replace(day=1)


def next_period(period: date) -> date:
    """The month after."""
    return (period.replace(day=1) + timedelta(days=32)).replace(day=1)


def previous_period(period: date) -> date:
    """The month before."""
    return (period.replace(day=1) - timedelta(days=1)).replace(day=1)


def bounds(period: date) -> tuple[datetime, datetime]:
    """From (inclusive) and to (exclusive), in UTC."""
    start, end = period.replace(day=1), next_period(period)
    return (
        datetime(start.year, start.month, 1, tzinfo=UTC),
        datetime(end.year, end.month, 1, tzinfo=UTC),
    )


def due_period(now: datetime) -> date:
    """The newest month whose invoices are due: the one before this, from BILLING_DAY on."""
    this = period_of(now)
    due = previous_period(this)
    return due if now.astimezone(UTC).day >= BILLING_DAY else previous_period(due)


def is_complete(period: date, now: datetime) -> bool:
    """Whether the month has ended."""
    return bounds(period)[1] <= now.astimezone(UTC)


def window_start(window: str, now: datetime) -> date:
    """The first UTC day of the ``day`` or ``month`` that ``now`` is in."""
    return period_of(now) if window == "month" else now.astimezone(UTC).date()
