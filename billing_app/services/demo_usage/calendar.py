"""How many calls each day of the made-up year has: it grows, and weekends are quieter. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from billing_app.types.periods import next_period, previous_period

# Monday to Sunday.
WEEK: Final = (100, 112, 115, 108, 84, 26, 18)
# The last day has so many percent more than the first.
GROWTH: Final = 120


@dataclass(frozen=True, slots=True)
class Day:
    """The calls of one day are those numbered ``first`` to before ``first + calls``."""

    day: date
    first: int
    calls: int


def span(months: int, today: date) -> tuple[date, date]:
    """So many whole months, and this one up to yesterday: from, and to before."""
    first = today.replace(day=1)
    for _ in range(months):
        first = previous_period(first)
    return first, today


def days_of(first: date, last: date, rows: int) -> list[Day]:
    """``rows`` calls on the days from ``first`` to before ``last``, none lost by rounding."""
    length = (last - first).days
    weights = [
        WEEK[(first + timedelta(number)).weekday()] * (100 * length + GROWTH * number)
        for number in range(length)
    ]
    total, seen, before = sum(weights), 0, 0
    days = []
    for number, weight in enumerate(weights):
        seen += weight
        until = rows * seen // total
        days.append(Day(first + timedelta(number), before, until - before))
        before = until
    return days


def months_of(first: date, last: date) -> Iterator[date]:
    """The months that begin from ``first`` to before ``last``."""
    month = first.replace(day=1)
    while month < last:
        yield month
        month = next_period(month)
