"""Whether a count may be taken from one shard, the better of two, or both together. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from billing_app.types.rate_limits import (
    ROUNDING,
    WEEK,
    RateLimit,
    State,
    calculate,
    fresh,
    seconds_until,
)

FAR: Final = 52_000 * WEEK


@dataclass(frozen=True, slots=True)
class Decision:
    """``states`` holds what becomes of the shards, by their place in the call; none if refused."""

    ok: bool
    retry_after: float | None
    states: dict[int, State] = field(default_factory=dict)


def acceptable(value: float, limit: RateLimit, *, reserve: bool) -> bool:
    """Whether a shard may be left with ``value``."""
    if value >= 0:
        return True
    if not reserve:
        return False
    reserved = limit.max_reserved
    return reserved is None or -value <= reserved + ROUNDING * max(1.0, limit.size, reserved)


def decide(
    states: Sequence[State | None], limit: RateLimit, now: datetime, count: float, *, reserve: bool
) -> Decision:
    """Take ``count`` from ``states``, one or two shards whose own limit is ``limit``.

    The better of the shards that suffice; if neither does, both together, so that they end equal.
    """
    known = [state or fresh(limit, now) for state in states]
    decision = accepted(known, limit, now, count, reserve=reserve)
    if decision is not None:
        return decision
    return Decision(False, wait(known, limit, now, count, reserve=reserve))


def accepted(
    states: Sequence[State], limit: RateLimit, now: datetime, count: float, *, reserve: bool
) -> Decision | None:
    """The decision to take it, or None where there is not enough."""
    alone = [calculate(state, limit, now, count) for state in states]
    best = max(range(len(alone)), key=lambda place: alone[place].value)
    if acceptable(alone[best].value, limit, reserve=reserve):
        return Decision(True, alone[best].retry_after, {best: alone[best]})
    if len(states) == 1:
        return None
    current = [calculate(state, limit, now) for state in states]
    total = sum(state.value for state in current) - count
    if abs(total) <= ROUNDING * max(1.0, count, *(abs(state.value) for state in current)):
        total = 0.0
    value = total / len(states)
    if not acceptable(value, limit, reserve=reserve):
        return None
    together = {place: State(value, state.at) for place, state in enumerate(current)}
    waits = [seconds_until(limit, state, now) for state in together.values()]
    return Decision(True, max((each for each in waits if each is not None), default=None), together)


def wait(
    states: Sequence[State], limit: RateLimit, now: datetime, count: float, *, reserve: bool
) -> float:
    """Seconds after which a refused call is accepted, if nobody else takes.

    Until all of it is there: a refused reservation is not told to come back for a debt.
    """
    if len(states) == 1:
        return calculate(states[0], limit, now, count).retry_after or 0.0
    searched = search(states, limit, now, count, reserve=reserve)
    if not reserve:
        return searched
    current = [calculate(state, limit, now) for state in states]
    missing = (sum(state.value for state in current) - count) / len(states)
    shared = [State(missing, state.at) for state in current]
    return max(searched, *(seconds_until(limit, state, now) or 0.0 for state in shared))


def search(
    states: Sequence[State], limit: RateLimit, now: datetime, count: float, *, reserve: bool
) -> float:
    """The first microsecond at which two shards have enough.

    Each stops gaining when it is full, and one alone may suffice first: no one formula holds.
    """
    current = [calculate(state, limit, now, limit.size) for state in states]
    full = [state.retry_after or 0.0 for state in current]
    if max(full) > FAR:
        return max(full)
    low, high = 0, round(max(full) * 1e6)  # refused now, accepted when all are full
    while high - low > 1:
        middle = (low + high) // 2
        then = now + timedelta(microseconds=middle)
        if accepted(states, limit, then, count, reserve=reserve):
            high = middle
        else:
            low = middle
    return high / 1e6
