"""Opaque cursors of pages: they name the last row seen, so pages stay right while rows arrive."""

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from one_project.common.errors import InvalidInput

_NO_CURSOR = "This page link is not valid. Please reload the page."


def write_cursor(*values: object) -> str:
    """The values (numbers, texts, moments, ids) as one word for an address."""
    plain = [value if isinstance(value, int) else _text(value) for value in values]
    return base64.urlsafe_b64encode(orjson.dumps(plain)).decode().rstrip("=")


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _read(cursor: str, length: int) -> list[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = orjson.loads(base64.urlsafe_b64decode(padded.encode()))
    except (ValueError, UnicodeError) as error:
        raise InvalidInput(_NO_CURSOR) from error
    if not isinstance(values, list) or len(values) != length:
        raise InvalidInput(_NO_CURSOR)
    return values


def read_numbers(cursor: str, count: int) -> list[int]:
    """``count`` numbers from 0 to 2**31. Raises InvalidInput."""
    numbers = _read(cursor, count)
    if not all(type(value) is int and 0 <= value < 2**31 for value in numbers):
        raise InvalidInput(_NO_CURSOR)
    return numbers


def read_moment(cursor: str) -> tuple[datetime, UUID]:
    """A moment with a time zone, and the id of the row. Raises InvalidInput."""
    at, row_id = _read(cursor, 2)
    try:
        moment = datetime.fromisoformat(str(at))
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment, UUID(str(row_id))
    except ValueError as error:
        raise InvalidInput(_NO_CURSOR) from error
