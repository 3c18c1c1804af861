"""Months and days of UTC, wherever the process, the person or the clock is."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from billing_app.types.periods import (
    bounds,
    due_period,
    is_complete,
    next_period,
    period_of,
    previous_period,
    window_start,
)

ZONES = ("UTC", "Asia/Almaty", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York")
LAST = datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC)
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


@pytest.fixture(params=ZONES, autouse=True, scope="module")
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The zone of the process."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("of_person", ZONES)
def test_the_last_moment_of_a_month_is_not_of_the_next(zone: str, of_person: str) -> None:
    there = ZoneInfo(of_person)
    assert period_of(LAST.astimezone(there)) == OCTOBER
    assert period_of(FIRST.astimezone(there)) == NOVEMBER
    assert window_start("month", LAST.astimezone(there)) == OCTOBER
    assert window_start("day", LAST.astimezone(there)) == date(2026, 10, 31)
    assert window_start("day", FIRST.astimezone(there)) == NOVEMBER


def test_a_naive_moment_has_no_month() -> None:
    with pytest.raises(ValueError):
        period_of(datetime(2026, 11, 1))  # noqa: DTZ001


def test_february_has_the_days_it_has() -> None:
    assert period_of(datetime(2028, 2, 29, 23, 59, tzinfo=UTC)) == date(2028, 2, 1)
    assert bounds(date(2028, 2, 1))[1] - bounds(date(2028, 2, 1))[0] == timedelta(days=29)
    assert bounds(date(2027, 2, 1))[1] - bounds(date(2027, 2, 1))[0] == timedelta(days=28)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 11, 1, 23, 59, 59, tzinfo=UTC), date(2026, 9, 1)),
        (datetime(2026, 11, 2, tzinfo=UTC), OCTOBER),
        # It is the 2nd where the person is, and not yet in UTC.
        (datetime(2026, 11, 2, 13, tzinfo=ZoneInfo("Pacific/Kiritimati")), date(2026, 9, 1)),
        (datetime(2027, 1, 2, tzinfo=UTC), date(2026, 12, 1)),
        (datetime(2026, 11, 10, tzinfo=UTC), OCTOBER),  # never the unfinished month
    ],
    ids=str,
)
def test_what_is_due_is_the_month_before_from_the_second_day_on(now: datetime, due: date) -> None:
    assert due_period(now) == due


def test_a_month_is_complete_when_the_next_begins() -> None:
    assert not is_complete(OCTOBER, LAST)
    assert is_complete(OCTOBER, FIRST)


@time_machine.travel(LAST, tick=False)
def test_the_clock_says_the_same_in_every_zone(zone: str) -> None:
    assert period_of(datetime.now(UTC)) == OCTOBER
    assert period_of(datetime.now().astimezone()) == OCTOBER


offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.builds(
    lambda seconds, zone: datetime.fromtimestamp(seconds, zone),
    st.integers(946_771_200, 4_102_444_800),  # in this century
    offsets,
)


@given(moments)
def test_every_moment_is_in_exactly_one_month(moment: datetime) -> None:
    period = period_of(moment)
    start, end = bounds(period)
    assert start <= moment < end
    assert previous_period(next_period(period)) == period
    assert bounds(next_period(period))[0] == end
    assert is_complete(due_period(moment), moment)
