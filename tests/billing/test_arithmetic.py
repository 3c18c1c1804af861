"""The arithmetic of both kinds of limit, without a database (RL-1 to RL-3, T-L5, T-L17, T-L18)."""

from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing_app.runtime.deciding import decide
from billing_app.types.rate_limits import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    WEEK,
    Kind,
    RateLimit,
    State,
    calculate,
    fresh,
)
from tests.billing.clock import BUCKET, KINDS, START, WINDOW, at, limit_of


def test_the_units_are_seconds() -> None:
    assert [SECOND, MINUTE, HOUR, DAY, WEEK] == [1, 60, 3_600, 86_400, 604_800]


@pytest.mark.parametrize("kind", KINDS)
def test_an_unused_limit_is_full(kind: Kind) -> None:
    limit = limit_of(kind, 10, MINUTE)
    result = calculate(None, limit, START)
    assert (result.value, result.at, result.retry_after) == (10, START, None)


def test_a_bucket_gains_steadily_up_to_its_capacity() -> None:
    limit = limit_of(BUCKET, 10, MINUTE)
    state = State(5, START)
    assert calculate(state, limit, at(6)).value == 6
    assert calculate(state, limit, at(30)).value == 10
    assert calculate(state, limit, at(3000)).value == 10
    assert calculate(state, limit, at(30), 8).value == 2
    short = calculate(state, limit, at(30), 15)
    assert (short.value, short.at, short.retry_after) == (-5, at(30), 30.0)


def test_a_window_gains_all_at_once_when_it_begins() -> None:
    limit = limit_of(WINDOW, 10, MINUTE, capacity=15)
    state = State(5, START)
    before, after = calculate(state, limit, at(59.999)), calculate(state, limit, at(60))
    assert (before.value, before.at) == (5, START)
    assert (after.value, after.at) == (15, at(60))
    assert calculate(state, limit, at(90), 3).at == at(60)
    short = calculate(state, limit, at(45), 8)
    assert (short.value, short.at, short.retry_after) == (-3, START, 15.0)
    assert calculate(state, limit, at(45), 16).retry_after == 75.0, "two windows"


def test_a_window_without_a_start_begins_somewhere_in_its_period() -> None:
    limit = RateLimit(WINDOW, 1, MINUTE)
    begun = {fresh(limit, START).at for _ in range(50)}
    assert len(begun) > 10
    assert all(at(-60) <= moment <= START for moment in begun)


@pytest.mark.parametrize("offset", [-150, 0, 30, 150, 10**8])
def test_a_window_keeps_to_its_start_whether_it_lies_behind_or_ahead(offset: int) -> None:
    limit = limit_of(WINDOW, 10, MINUTE, start=at(offset))
    state = fresh(limit, at(10))
    assert (state.value, (state.at - limit_start(limit)) % timedelta(minutes=1)) == (
        10,
        timedelta(0),
    )
    assert at(-50) < state.at <= at(10)


def limit_start(limit: RateLimit) -> datetime:
    assert limit.start is not None
    return limit.start


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_goes_back_gives_nothing_twice(kind: Kind) -> None:
    limit = limit_of(kind, 10, MINUTE)
    state = calculate(State(0, START), limit, at(60), 10)
    back = calculate(state, limit, START, 1)
    assert (back.value, back.at) == (-1, at(60))
    assert back.retry_after == (66.0 if kind == BUCKET else 120.0), "on the clock that went back"
    assert calculate(back, limit, at(60)).value == -1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("skew", [-3600, -0.5, 0.25, 86_400])
def test_a_client_whose_clock_is_wrong_finds_the_same_wait(kind: Kind, skew: float) -> None:
    limit = limit_of(kind, 10, MINUTE)
    state, there = State(3, START), timedelta(seconds=skew)
    right = calculate(state, limit, at(12), 7).retry_after
    assert right == (12.0 if kind == BUCKET else 48.0)
    skewed = State(state.value, state.at + there)
    assert calculate(skewed, limit, at(12) + there, 7).retry_after == right


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "leaky bucket"},
        {"rate": 0},
        {"rate": float("nan")},
        {"period": -1},
        {"period": 1e-6},
        {"capacity": 0},
        {"max_reserved": -1},
        {"max_reserved": float("inf")},
        {"shards": 0},
        {"shards": 1.5},
        {"shards": 257},
        {"start": START},
        {"kind": WINDOW, "start": START.replace(tzinfo=None)},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    good: dict[str, object] = {"kind": BUCKET, "rate": 1, "period": 1}
    with pytest.raises(ValueError):
        RateLimit(**(good | wrong))  # type: ignore[arg-type]


def test_a_shard_has_its_share_of_everything() -> None:
    share = RateLimit(BUCKET, 10, MINUTE, capacity=40, max_reserved=2, shards=4).per_shard()
    assert share == RateLimit(BUCKET, 2.5, MINUTE, capacity=10, max_reserved=0.5)


# --- for all limits -------------------------------------------------------------------------------


def thousandths(least: float, most: float) -> st.SearchStrategy[float]:
    """Figures as people write them, none so small that it is lost in the rounding of others."""
    return st.integers(round(least * 1000), round(most * 1000)).map(lambda n: n / 1000)


amounts = thousandths(0.001, 1e6)


@st.composite
def limits(draw: st.DrawFn) -> RateLimit:
    kind = draw(st.sampled_from(KINDS))
    rate, period = draw(amounts), draw(thousandths(0.001, WEEK))
    capacity = draw(st.none() | amounts)
    start = at(draw(thousandths(-1e6, 1e6))) if kind == WINDOW else None
    return RateLimit(kind, rate, period, capacity=capacity, start=start)


waits = st.integers(0, 10**12).map(lambda micros: micros / 1e6)


@given(limit=limits(), value=thousandths(-1e6, 1e6), waits=st.lists(waits, max_size=5))
def test_a_value_never_exceeds_capacity_and_never_falls_by_itself(
    limit: RateLimit, value: float, waits: list[float]
) -> None:
    state = calculate(State(value, START), limit, START)
    now = START
    for wait in waits:
        now += timedelta(seconds=wait)
        later = calculate(state, limit, now)
        assert later.value <= limit.size
        assert later.value >= state.value
        assert state.at <= later.at <= now
        state = later


@given(limit=limits(), value=thousandths(-1e6, 1e6), parts=st.lists(waits, min_size=2, max_size=8))
def test_looking_often_gives_no_more_than_looking_once(
    limit: RateLimit, value: float, parts: list[float]
) -> None:
    once = often = State(min(value, limit.size), START)
    now = START
    for part in parts:
        now += timedelta(seconds=part)
        often = calculate(often, limit, now)
    once = calculate(once, limit, now)
    assert often.value == pytest.approx(once.value, rel=1e-9, abs=1e-6)


@given(limit=limits(), value=thousandths(-1e6, 1e6), share=thousandths(0, 1), past=waits)
def test_after_the_wait_it_is_accepted_and_not_before(
    limit: RateLimit, value: float, share: float, past: float
) -> None:
    state, count = State(min(value, limit.size), at(-past)), limit.size * share
    wait = calculate(state, limit, START, count).retry_after
    assume(wait is not None and wait < 1e9)
    assert wait is not None
    assert wait > 0
    assert calculate(state, limit, at(wait), count).retry_after is None
    if wait > 0.01:
        assert calculate(state, limit, at(wait * 0.999), count).value < 0


@given(
    limit=limits(),
    values=st.lists(thousandths(-100, 1), min_size=1, max_size=2),
    share=thousandths(0.01, 1),
    reserved=st.none() | thousandths(0, 3),
)
def test_a_refused_call_is_accepted_after_its_wait_in_one_shard_or_two(
    limit: RateLimit, values: list[float], share: float, reserved: float | None
) -> None:
    size = limit.size
    if reserved is not None:
        limit = RateLimit(
            limit.kind, limit.rate, limit.period, size, reserved * size, start=limit.start
        )
    states = [State(value * size, START) for value in values]
    most = size * len(states) * (1 + (reserved or 0))
    count, reserve = most * share, reserved is not None
    decision = decide(states, limit, START, count, reserve=reserve)
    assume(not decision.ok)
    wait = decision.retry_after
    assert wait is not None
    assume(wait < 1e9)
    assert decision.states == {}
    assert decide(states, limit, at(wait), count, reserve=reserve).ok
    if wait > 0.01 and not reserve:
        assert not decide(states, limit, at(wait * 0.999), count, reserve=reserve).ok


@given(
    limit=limits(),
    values=st.lists(thousandths(-1, 1), min_size=2, max_size=2),
    share=thousandths(0, 2),
)
def test_two_shards_together_give_exactly_what_is_taken(
    limit: RateLimit, values: list[float], share: float
) -> None:
    states = [State(value * limit.size, START) for value in values]
    now = calculate(states[0], limit, START).value + calculate(states[1], limit, START).value
    decision = decide(states, limit, START, share * limit.size, reserve=False)
    if decision.ok:
        left = {place: calculate(state, limit, START) for place, state in enumerate(states)}
        left |= decision.states  # type: ignore[arg-type]
        total = sum(state.value for state in left.values())
        assert total == pytest.approx(now - share * limit.size, abs=1e-9 * max(1, limit.size))
        assert all(state.value >= 0 for state in decision.states.values())
