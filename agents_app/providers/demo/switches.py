"""What a request asks of the demo server itself: its pace, and failures on purpose.

Pace may come from the model's name (`one-demo:tps=200,first=0`), from a `demo` object in the body
or from the text. Failures come only from the last message's text (`demo:error=500`), so that no
setting can break an installation.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Final

MAX_TOKENS = 200_000
_WORD = re.compile(r"(?<!\S)demo:(\S+)")


@dataclass(frozen=True, slots=True)
class Pace:
    """tokens_per_second: 0 means as fast as possible. first_token_ms: delay of the first token.

    Raises ValueError for negative or endless values.
    """

    tokens_per_second: float = 40.0
    first_token_ms: float = 300.0

    def __post_init__(self) -> None:
        for value in (self.tokens_per_second, self.first_token_ms):
            if not isfinite(value) or value < 0:
                raise ValueError(f"not a pace: {value}")

    def due(self, index: int) -> float:
        """Seconds after the request at which token number `index` leaves."""
        spent = index / self.tokens_per_second if self.tokens_per_second else 0.0
        return self.first_token_ms / 1000 + spent


@dataclass(frozen=True, slots=True)
class Switches:
    """What was asked for; None and False mean "not asked for".

    tps, first: the pace (see `Pace`). tokens: length of the answer. error: HTTP status to fail
    with; error_code: the `code` in its body; retry_after: value of its header. drop_after: tokens
    after which the connection is cut. stall: never send a token. fail_times: fail so many requests
    with this `key` with 500, then answer.
    """

    tps: float | None = None
    first: float | None = None
    tokens: int | None = None
    error: int | None = None
    error_code: str | None = None
    retry_after: str | None = None
    drop_after: int | None = None
    stall: bool = False
    fail_times: int | None = None
    key: str = "default"

    def pace(self, default: Pace) -> Pace:
        """The pace asked for, the rest from `default`."""
        return Pace(
            default.tokens_per_second if self.tps is None else self.tps,
            default.first_token_ms if self.first is None else self.first,
        )


def _rate(text: str) -> float:
    value = float(text)
    if value and not 0.01 <= value <= 1e6:
        raise ValueError(text)
    return value


def _milliseconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3_600_000:
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= MAX_TOKENS:
        raise ValueError(text)
    return value


def _status(text: str) -> int:
    value = int(text)
    if not 400 <= value <= 599:
        raise ValueError(text)
    return value


def _header(text: str) -> str:
    if not re.fullmatch(r"[\w.:,+-]{1,60}", text, re.ASCII):
        raise ValueError(text)
    return text


_Reader = Callable[[str], Any]
_PACE: Final[dict[str, tuple[str, _Reader]]] = {
    "tps": ("tps", _rate),
    "first": ("first", _milliseconds),
    "tokens": ("tokens", _count),
}
_ALL: Final[dict[str, tuple[str, _Reader]]] = {
    **_PACE,
    "error": ("error", _status),
    "code": ("error_code", str),
    "retry-after": ("retry_after", _header),
    "drop-after": ("drop_after", _count),
    "stall": ("stall", lambda text: text in ("", "1", "true")),
    "fail-times": ("fail_times", _count),
    "key": ("key", str),
}


def read_model_name(name: str) -> tuple[str, Switches]:
    """Split `one-demo:tps=200,first=0`. Raises ValueError for a suffix that is not understood."""
    base, _, suffix = name.partition(":")
    return base, _read(re.split(r"[,;]", suffix) if suffix else (), _PACE, Switches())


def read_body_field(value: object, base: Switches) -> Switches:
    """Add the body's `demo` object to `base`. Raises ValueError for anything not understood."""
    if value is None:
        return base
    if not isinstance(value, Mapping):
        raise ValueError("demo must be an object")
    return _read((f"{name}={item}" for name, item in value.items()), _PACE, base)


def read_text(text: str, base: Switches) -> tuple[str, Switches]:
    """Take `demo:...` words out of a message; returns the rest and `base` with them added.

    A word that is not understood stays in the text: it is prose.
    """
    found = base

    def take(match: re.Match[str]) -> str:
        nonlocal found
        try:
            found = _read(match[1].rstrip(".!?").split(";"), _ALL, found)
        except ValueError:
            return match[0]
        return ""

    rest = _WORD.sub(take, text)
    return (rest if found is base else rest.strip()), found


def _read(
    items: Iterable[str], known: Mapping[str, tuple[str, _Reader]], base: Switches
) -> Switches:
    changes: dict[str, Any] = {}
    for item in items:
        name, _, value = item.partition("=")
        if name not in known:
            raise ValueError(f"unknown demo option {name!r}")
        field, reader = known[name]
        changes[field] = reader(value)
    return replace(base, **changes)
