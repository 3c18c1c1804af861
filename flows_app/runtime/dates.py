"""Dates as people write them, and as moments: the end of that day where it is meant."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from flows_app.conf import MAX_DUE_DAYS
from one_project.common.errors import InvalidInput

_DAYS: Final = re.compile(r"\+?\s*P?(\d{1,5})\s*(?:d|days?)?", re.IGNORECASE)
_END: Final = time(23, 59)
HELP: Final = "Write a date like 2026-12-01, or a number of days like 14."


def moment_of(text: str, zone: str, now: datetime) -> datetime | None:
    """``2026-12-01``, ``2026-12-01 14:00``, or days after now (``14``, ``14 days``, ``P14D``), in
    UTC; a day without an hour means its end in ``zone``. Empty is None. Raises InvalidInput.
    """
    text = text.strip()
    if not text:
        return None
    place = ZoneInfo(zone)
    number = days_of(text)
    if number is not None:
        if number > MAX_DUE_DAYS:
            raise InvalidInput(f"At most {MAX_DUE_DAYS} days, please.")
        return end_of_day(now.astimezone(place).date() + timedelta(days=number), zone)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"“{text[:40]}” is no date. {HELP}") from None
    if not 2000 <= found.year <= 2200:
        raise InvalidInput("Please give a date between 2000 and 2200.")
    if len(text) <= 10:
        return end_of_day(found.date(), zone)
    return (found if found.tzinfo else found.replace(tzinfo=place)).astimezone(UTC)


def days_of(text: str) -> int | None:
    """Of ``14``, ``14 days`` or ``P14D`` the 14; None for anything else."""
    found = _DAYS.fullmatch(text.strip())
    return int(found[1]) if found else None


def end_of_day(day: date, zone: str) -> datetime:
    """One minute before midnight there, in UTC."""
    return datetime.combine(day, _END, ZoneInfo(zone)).astimezone(UTC)


def start_of_day(day: date | None, zone: str, *, after: bool = False) -> datetime | None:
    """Midnight there, in UTC; of the day ``after``: where a range that includes it ends."""
    if day is None:
        return None
    there = datetime.combine(day + timedelta(days=int(after)), time(), ZoneInfo(zone))
    return there.astimezone(UTC)


def day_of(at: datetime | None, zone: str) -> str:
    """As an input of type date takes it; empty for None."""
    return at.astimezone(ZoneInfo(zone)).date().isoformat() if at else ""


def told(at: datetime | None, zone: str) -> str:
    """``3 Dec 2026``, or ``no date``."""
    if at is None:
        return "no date"
    there = at.astimezone(ZoneInfo(zone))
    return f"{there.day} {there:%b %Y}"
