"""A notification's steps as JSON and back, and what follows from them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, TypeAdapter, ValidationError

from integrations_app.errors import InvalidSettings
from integrations_app.runtime.step_kinds import (
    Chat,
    Delay,
    Digest,
    Email,
    InApp,
    Push,
    Sms,
    StepBase,
    Throttle,
    Timed,
    Webhook,
)
from integrations_app.runtime.step_requests import HttpRequest, pairs_of
from one_project.common.text import clean_json

MAX_STEPS: Final = 20

AnyStep = Annotated[
    InApp | Email | Sms | Chat | Push | Webhook | Delay | Digest | Throttle | HttpRequest,
    Field(discriminator="kind"),
]

KINDS: Final = (
    "in_app",
    "email",
    "sms",
    "chat",
    "push",
    "webhook",
    "delay",
    "digest",
    "throttle",
    "http_request",
)

_steps: TypeAdapter[list[Any]] = TypeAdapter(list[AnyStep])


def parse_steps(steps: Any) -> list[AnyStep]:
    """JSON (or the models themselves) as steps, each with an id of its own.

    Raises InvalidSettings: problems by path, as ``steps.2.subject``.
    """
    if not isinstance(steps, list | tuple):
        raise InvalidSettings({"steps": "Steps are a list."})
    if not 1 <= len(steps) <= MAX_STEPS:
        raise InvalidSettings({"steps": f"There are 1 to {MAX_STEPS} steps."})
    raw = [one.model_dump(mode="json") if isinstance(one, StepBase) else one for one in steps]
    try:
        found = _steps.validate_python(clean_json(raw))
    except ValidationError as error:
        raise InvalidSettings(_problems(error)) from None
    return _named(found)


def dump_steps(steps: Iterable[Any]) -> list[dict[str, Any]]:
    """As JSON, without what is as usual."""
    return [
        {"id": one.id, "kind": one.kind, **one.model_dump(mode="json", exclude_defaults=True)}
        for one in steps
    ]


def _problems(error: ValidationError) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        # The kind stands between the number and the field, where pydantic has chosen by it.
        parts = [str(part) for place, part in enumerate(one["loc"]) if place != 1]
        if one["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            found[".".join(["steps", *parts, "kind"])] = f"A kind is one of: {', '.join(KINDS)}."
            continue
        found[".".join(["steps", *parts])] = one["msg"].removeprefix("Value error, ")
    return found


def _named(steps: list[Any]) -> list[AnyStep]:
    taken = {one.id for one in steps if one.id}
    given = [one.id for one in steps if one.id]
    if len(taken) != len(given):
        twice = next(number for number, one in enumerate(given) if one in given[:number])
        raise InvalidSettings({f"steps.{twice}.id": "Each id is used once."})
    named = []
    for one in steps:
        if not one.id:
            name, number = one.kind, 2
            while name in taken:
                name, number = f"{one.kind}-{number}", number + 1
            taken.add(name)
            one = one.model_copy(update={"id": name})
        named.append(one)
    return named


def needed_by(step: Any) -> set[str]:
    """Ids of the steps whose outcome the condition of this one looks at."""
    found = set()
    for name, value in pairs_of(step.skip):
        if name == "var":
            path = value[0] if isinstance(value, list) and value else value
            parts = str(path).split(".")
            if parts[0] == "steps" and len(parts) > 1:
                found.add(parts[1])
    return found


def next_moment(at: Timed, zone: str, after: datetime) -> datetime:
    """The first moment (UTC) after ``after`` at which the clock of ``zone`` shows that time."""
    clock = zone_of(zone)
    day: date = after.astimezone(clock).date()
    for _ in range(9):
        found = datetime.combine(day, time(at.hour, at.minute), clock).astimezone(UTC)
        if found > after and (not at.weekdays or day.weekday() in at.weekdays):
            return found
        day += timedelta(days=1)
    raise AssertionError("a week has every weekday")


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name; UTC where there is none such."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
