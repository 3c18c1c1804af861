"""A clock that stands still, and limits of both kinds."""

from datetime import UTC, datetime, timedelta
from typing import Any

from billing_app.types.rate_limits import Kind, RateLimit

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BUCKET: Kind = "token bucket"
WINDOW: Kind = "fixed window"
KINDS: list[Kind] = [BUCKET, WINDOW]


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def limit_of(kind: Kind, rate: float, period: float, **more: Any) -> RateLimit:
    """A window begins at START, so that what comes out is known."""
    if kind == WINDOW:
        more.setdefault("start", START)
    return RateLimit(kind, rate, period, **more)
