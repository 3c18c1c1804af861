"""What a rate limit is, and its arithmetic. Pure: no clock, no database, no Django.

Times are seconds; moments are aware datetimes, exact to the microsecond. Multiplication comes
before division, so that whole figures stay whole: 10 tokens at 10 a minute are exactly 60.0 s away.
"""

import math
import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

SECOND: Final = 1.0
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
MICROSECOND: Final = timedelta(microseconds=1)

# What a sum of floats may be off by, in parts of its largest part; and a product or a quotient.
ROUNDING: Final = 4e-12
ROUNDED_ONCE: Final = 2e-15
# From so many shards on, two are looked at for every call (RL-12).
CHOOSE_TWO: Final = 3
MAX_SHARDS: Final = 256

Kind = Literal["token bucket", "fixed window"]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``rate`` tokens per ``period`` seconds, of which up to ``capacity`` are kept.

    A token bucket gains them steadily, a fixed window all at once when a new period begins. Periods
    are counted from ``start``; without one from a random moment for each key, so that not everybody
    comes back at the same time. ``max_reserved`` bounds how far a reservation may go below zero
    (None: not bounded; 0: not at all). ``shards`` spreads a busy limit over so many rows.
    """

    kind: Kind
    rate: float
    period: float
    capacity: float | None = None
    max_reserved: float | None = None
    shards: int | None = None
    start: datetime | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("token bucket", "fixed window"):
            raise ValueError(f"A limit is a token bucket or a fixed window, not {self.kind!r}.")
        for name in ("rate", "period", "capacity"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"The {name} of a limit is a number above 0, not {value!r}.")
        if self.period < 0.001:
            raise ValueError("The period of a limit is at least a millisecond.")
        if self.max_reserved is not None and not 0 <= self.max_reserved < math.inf:
            raise ValueError(f"max_reserved is 0 or more, not {self.max_reserved!r}.")
        if self.shards is not None and self.shards not in range(1, MAX_SHARDS + 1):
            raise ValueError(f"A limit has 1 to {MAX_SHARDS} shards, not {self.shards!r}.")
        if self.start is not None and (self.kind == "token bucket" or self.start.tzinfo is None):
            raise ValueError("Only a fixed window has a start, and it has a time zone.")

    @property
    def size(self) -> float:
        """How many tokens it holds when full."""
        return self.rate if self.capacity is None else self.capacity

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=self.period)

    @property
    def shard_count(self) -> int:
        return self.shards or 1

    @property
    def looked_at(self) -> int:
        """How many shards one call looks at."""
        return 2 if self.shard_count >= CHOOSE_TWO else 1

    @property
    def most(self) -> float:
        """The largest count that can ever be taken at once without a reservation."""
        return self.size * self.looked_at / self.shard_count

    def per_shard(self) -> "RateLimit":
        """The share of one shard, a limit of its own."""
        n = self.shard_count
        if n == 1:
            return self
        reserved = None if self.max_reserved is None else self.max_reserved / n
        return replace(
            self, rate=self.rate / n, capacity=self.size / n, max_reserved=reserved, shards=None
        )


@dataclass(frozen=True, slots=True)
class State:
    """So many tokens were there at that moment (of a fixed window: since it began)."""

    value: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Calculation(State):
    """A state after a count was taken, and in how many seconds what is missing is made up for."""

    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a call.

    Refused: after ``retry_after`` seconds the same call is accepted, if nobody else takes. Accepted
    with ``retry_after``: it is reserved; wait so long before doing the work.
    """

    ok: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class LimitValue(State):
    """The state of one shard, with that shard's own limit: ``calculate`` goes on from here."""

    shard: int
    config: RateLimit


def fresh(limit: RateLimit, now: datetime) -> State:
    """The state of a limit that nobody has used: full."""
    if limit.kind == "token bucket":
        return State(limit.size, now)
    if limit.start is None:
        offset = random.random() * limit.period  # noqa: S311 (spreads load, keeps no secret)
        return State(limit.size, now - timedelta(seconds=offset))
    return State(limit.size, limit.start + (now - limit.start) // limit.window * limit.window)


def calculate(
    state: State | None, limit: RateLimit, now: datetime, count: float = 0.0
) -> Calculation:
    """The state at ``now`` after ``count`` was taken; the value may be below zero.

    It decides nothing and knows nothing of shards. A ``now`` before the state's moment counts as
    that moment: time never gives tokens back, and never gives them twice.
    """
    state = state or fresh(limit, now)
    elapsed = max(now - state.at, timedelta(0))
    if limit.kind == "token bucket":
        gained = elapsed.total_seconds() * limit.rate / limit.period
        at = state.at + elapsed
    else:
        windows = elapsed // limit.window
        gained = windows * limit.rate
        at = state.at + windows * limit.window
    value = min(state.value + gained, limit.size) - count
    if abs(value) <= ROUNDING * max(1.0, abs(state.value), limit.size, count):
        value = 0.0
    return Calculation(value, at, seconds_until(limit, State(value, at), now))


def seconds_until(limit: RateLimit, state: State, now: datetime) -> float | None:
    """Seconds from ``now`` until a state below zero is back at it; None when it is not below."""
    if state.value >= 0:
        return None
    behind = (state.at - now) // MICROSECOND
    if limit.kind == "token bucket":
        # Up to the next microsecond, else the deficit would not quite be covered.
        exact = -state.value * limit.period / limit.rate * 1e6
        return (behind + math.ceil(exact * (1 - ROUNDED_ONCE))) / 1e6
    windows = math.ceil(-state.value / limit.rate * (1 - ROUNDED_ONCE))
    return (behind + windows * (limit.window // MICROSECOND)) / 1e6
