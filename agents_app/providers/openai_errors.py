"""What an OpenAI-compatible server's refusals mean, as `ModelError`.

Pure: takes status, headers and body; knows neither the `openai` package nor the network. The
server's words go to the log (shortened, keys taken out), never to people.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final

from agents_app.providers.errors import ErrorCode, ModelError

MAX_RETRY_AFTER = 24 * 3600.0  # seconds; longer waits are as good as "not today"
MAX_DETAIL_CHARS = 500

_SECRET = re.compile(r"\b(?:sk|pk|rk|key)-[\w*.-]{6,}|(?i:bearer)\s+\S+")
_TOO_LONG = re.compile(
    r"context[ _](?:length|window|size)|too many tokens|prompt is too long|maximum context"
    r"|reduce the length|input is too long",
    re.IGNORECASE,
)

_BY_STATUS: Final[dict[int, ErrorCode]] = {
    401: "auth",
    402: "quota_exhausted",
    403: "auth",
    404: "not_found",
    408: "timeout",
    409: "server_error",
    413: "context_too_long",
    425: "rate_limited",
    429: "rate_limited",
    502: "overloaded",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}

# What servers write into `code` or `type` of an error object. The first hit counts.
_BY_WORD: Final[dict[str, ErrorCode]] = {
    "insufficient_quota": "quota_exhausted",
    "billing_hard_limit_reached": "quota_exhausted",
    "context_length_exceeded": "context_too_long",
    "string_above_max_length": "context_too_long",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "responsibleaipolicyviolation": "content_filter",
    "model_not_found": "not_found",
    "not_found_error": "not_found",
    "invalid_api_key": "auth",
    "authentication_error": "auth",
    "permission_error": "auth",
    "rate_limit_exceeded": "rate_limited",
    "rate_limit_error": "rate_limited",
    "overloaded_error": "overloaded",
    "server_overloaded": "overloaded",
    "engine_overloaded": "overloaded",
    "timeout": "timeout",
    "invalid_request_error": "bad_request",
}

# An exhausted quota comes as 429 and a long prompt as 400: these words beat the status.
_STRONGER_THAN_STATUS: Final[frozenset[ErrorCode]] = frozenset(
    {"quota_exhausted", "context_too_long", "content_filter"}
)


def error_from_response(
    status: int, body: object, headers: Mapping[str, str], secret: str = ""
) -> ModelError:
    """Translate an HTTP error. `body`: parsed JSON, text or None; `secret`: our key."""
    code = _code(status, error_object(body))
    should_retry = {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower())
    return ModelError(
        code,
        status=status,
        retryable=should_retry,
        retry_after=retry_after(headers),
        detail=detail_for_log(f"HTTP {status}", body, secret),
    )


def error_in_stream(body: object, secret: str = "") -> ModelError:
    """Translate an error object that came inside a stream which began with status 200."""
    found = error_object(body)
    status = _status_in(found)
    code: ErrorCode = "server_error" if status is None else _code(status, found)
    if status is None:
        code = _by_words(found) or code
    return ModelError(code, status=status, detail=detail_for_log("in the stream", body, secret))


def error_object(body: object) -> dict[str, Any]:
    """The error's own object, however deep the server put it; empty when there is none."""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return {"message": body} if isinstance(body, str) else {}
    inner = body.get("error")
    if isinstance(inner, dict):
        return inner
    return {"message": inner} if isinstance(inner, str) else body


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the server asks us to wait, or None.

    Reads `retry-after-ms`, then `Retry-After` as seconds or as an HTTP date. Negative waits count
    as 0; nonsense counts as nothing.
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        seconds = _number(headers.get(name, ""))
        if seconds is not None:
            return min(max(seconds / scale, 0.0), MAX_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    wait = (until - (now or datetime.now(UTC))).total_seconds()
    return min(max(wait, 0.0), MAX_RETRY_AFTER)


def detail_for_log(where: str, body: object, secret: str = "") -> str:
    """One line for the log: where and what the server said, shortened, keys taken out."""
    found = error_object(body)
    said = [str(found[name]) for name in ("code", "type", "message") if found.get(name)]
    # Keys go first: shortening could leave half a key that no longer looks like one.
    text = " ".join(" | ".join([where, *said]).split())
    if len(secret) >= 6:
        text = text.replace(secret, "[key]")
    return _SECRET.sub("[key]", text)[:MAX_DETAIL_CHARS]


def _code(status: int, found: Mapping[str, Any]) -> ErrorCode:
    by_words = _by_words(found)
    if by_words in _STRONGER_THAN_STATUS:
        return by_words
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return "server_error"
    return (by_words or "bad_request") if status >= 400 else "invalid_response"


def _by_words(found: Mapping[str, Any]) -> ErrorCode | None:
    words = [str(found.get(name) or "").lower() for name in ("code", "type")]
    inner = found.get("innererror")
    if isinstance(inner, dict):
        words.append(str(inner.get("code") or "").lower())
    hits = [_BY_WORD[word] for word in words if word in _BY_WORD]
    strong = [hit for hit in hits if hit in _STRONGER_THAN_STATUS]
    if strong:
        return strong[0]
    if _TOO_LONG.search(str(found.get("message") or "")):
        return "context_too_long"
    return hits[0] if hits else None


def _status_in(found: Mapping[str, Any]) -> int | None:
    for name in ("status", "status_code", "code"):
        number = _number(str(found.get(name) or ""))
        if number is not None and 400 <= number < 600:
            return int(number)
    return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
