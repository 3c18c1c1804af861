"""What people ask for and post, read without ever failing on its form."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.http import HttpRequest
from django.utils import timezone

from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line, clean_text

CURSOR_LIMIT = 300  # our cursors are short; a longer one is not ours
TIMES = {
    "hour": ("Last hour", timedelta(hours=1)),
    "day": ("Last 24 hours", timedelta(days=1)),
    "week": ("Last 7 days", timedelta(days=7)),
    "month": ("Last 30 days", timedelta(days=30)),
}


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs the list is to show; ``whose`` is "installation" for those of no organisation."""

    name: str
    state: str
    time: str
    whose: str

    @property
    def since(self) -> datetime | None:
        return timezone.now() - TIMES[self.time][1] if self.time in TIMES else None

    @property
    def is_narrow(self) -> bool:
        return bool(self.name or self.state or self.time)


def asked_filter(request: HttpRequest) -> RunFilter:
    return RunFilter(
        name=clean_line(request.GET.get("name"), 200),
        state=clean_line(request.GET.get("state"), 20),
        time=clean_line(request.GET.get("time"), 20),
        whose=clean_line(request.GET.get("whose"), 20),
    )


def asked_cursor(request: HttpRequest) -> str | None:
    """The cursor of the address. Raises InvalidInput for one that cannot be ours."""
    cursor = request.GET.get("cursor") or None
    if cursor is not None and len(cursor) > CURSOR_LIMIT:
        raise InvalidInput("This page link is not valid. Please reload the page.")
    return cursor


@dataclass(frozen=True, slots=True)
class PostedEvent:
    """The event form as it was filled in. ``key`` makes sending it twice harmless."""

    name: str = ""
    payload: str = ""
    key: str = ""

    def value(self) -> Any:
        """The payload as JSON; an empty box is null. Raises InvalidInput."""
        if not self.payload.strip():
            return None
        try:
            value = orjson.loads(self.payload)
        except orjson.JSONDecodeError as error:
            place = f"line {error.lineno}, column {error.colno}"
            raise InvalidInput(
                f'The payload is not JSON: {error.msg} ({place}). A text needs quotes, as in "yes".'
            ) from error
        if _has_nul(value):
            raise InvalidInput("The payload has a NUL character, which cannot be stored.")
        return value


def posted_event(request: HttpRequest) -> PostedEvent:
    return PostedEvent(
        name=clean_line(request.POST.get("name"), 201),
        payload=clean_text(request.POST.get("payload")),
        key=clean_line(request.POST.get("key"), 64),
    )


def posted_step(request: HttpRequest) -> int:
    """The number of a step. Raises InvalidInput."""
    value = request.POST.get("step", "")
    if not value.isdecimal() or len(value) > 9:
        raise InvalidInput("Choose the step to restart from.")
    return int(value)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_nul(item) for item in value)
