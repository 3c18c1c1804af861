"""The time."""

from zoneinfo import ZoneInfo

from django.utils import timezone
from pydantic import Field

from agents_app.tools.definitions import Arguments, ToolError, tool


class CurrentTime(Arguments):
    timezone: str = Field(
        "UTC", max_length=64, description="An IANA name, for example Europe/Berlin."
    )


@tool(name="current_time", title="Current time")
def current_time(arguments: CurrentTime) -> dict[str, str]:
    """Get the current date, time and day of the week in a time zone."""
    try:
        zone = ZoneInfo(arguments.timezone)
    except (ValueError, OSError, LookupError) as error:
        raise ToolError(
            f"There is no time zone {arguments.timezone!r}; use an IANA name like Europe/Berlin.",
            code="unknown_timezone",
        ) from error
    now = timezone.now().astimezone(zone)
    return {
        "time": now.isoformat(timespec="seconds"),
        "weekday": f"{now:%A}",
        "timezone": arguments.timezone,
    }
