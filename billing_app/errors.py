"""What can go wrong with a rate limit, for people and programs."""

import math

from one_project.common.errors import AppError, InvalidInput


def spoken(seconds: float) -> str:
    """A wait as people say it, rounded up: ``4 s``, ``2 min``, ``3 h``, ``2 days``."""
    for unit, length, most in (("s", 1, 60), ("min", 60, 60), ("h", 3600, 48)):
        amount = max(1, math.ceil(seconds / length))
        if amount < most:
            return f"{amount} {unit}"
    return f"{math.ceil(seconds / 86_400)} days"


class RateLimited(AppError):
    """Not now, but in ``retry_after`` seconds. Nothing was consumed.

    ``name`` is the limit's. With ``throws`` also a reservation that would have to wait raises it.
    """

    code = "rate_limited"
    kind = "RateLimited"
    status = 429
    retryable = True

    def __init__(self, name: str, retry_after: float, reason: str = "") -> None:
        self.name = name
        self.retry_after = retry_after
        what = reason or "This was done too often."
        super().__init__(f"{what} Please wait {spoken(retry_after)}, then try again.")


class ImpossibleCount(InvalidInput):
    """The count is more than the limit can ever give; waiting does not help."""

    code = "impossible_count"


class UnknownLimit(InvalidInput):
    """No limit is defined under this name, and none was given."""

    code = "unknown_limit"
