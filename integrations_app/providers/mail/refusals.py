"""What an answer of a provider's interface means for a message.

The words of providers may hold secrets and addresses: of an answer only its status and a code of
one word are kept.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from integrations_app.errors import (
    AuthFailed,
    BadTarget,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    SendError,
    Transient,
)

MAX_WAIT = 24 * 3600.0
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,59}")
# Where the providers of this house put their codes, the most telling first.
_CODES = ("name", "code", "error_code", "ErrorCode", "Code", "type", "field")


def meaning(
    status: int, *, code: str = "", retry_after: float | None = None, is_target: bool = False
) -> SendError:
    """The error for an answer. is_target: it is about the address the message goes to.

    408 and 503 say that nothing was done; other 5xx say nothing of it.
    """
    known: dict[str, Any] = {"code": code or f"http_{status}", "http_status": status}
    if is_target and 400 <= status < 500:
        return BadTarget(**known)
    if status in (401, 403):
        return AuthFailed(**known)
    if status == 429 or (status == 503 and retry_after is not None):
        return RateLimited(retry_after, **known)
    if status in (408, 503):
        return Transient(**known)
    if 300 <= status < 500:
        return Permanent(**known)
    return OutcomeUnknown(**known)


def wait_of(headers: Mapping[str, str]) -> float | None:
    """Seconds of Retry-After, a number or a date; None without one."""
    given = headers.get("Retry-After", headers.get("retry-after", "")).strip()
    if not given:
        return None
    try:
        seconds = float(given)
    except ValueError:
        try:
            until = parsedate_to_datetime(given)
        except (TypeError, ValueError):
            return None
        seconds = (until.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), MAX_WAIT) if math.isfinite(seconds) else None


def code_of(body: object) -> str:
    """The provider's one-word code in a JSON answer, or ""."""
    for part in parts_of(body):
        for name in _CODES:
            value = part.get(name)
            if isinstance(value, str | int) and _WORD.fullmatch(str(value)):
                return str(value)
    return ""


def parts_of(body: object) -> list[Mapping[str, Any]]:
    """The objects of an error: itself, and what it lists under ``error``, ``errors``, ``data``."""
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, Mapping):
        return []
    found: list[Mapping[str, Any]] = [body]
    for name in ("errors", "Errors", "error", "data", "Messages"):
        inner = body.get(name)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if isinstance(inner, Mapping):
            # The inner one is the more telling.
            found = [*parts_of(inner), *found]
    return found
