"""How large stored values may be."""

import orjson

from one_project.workflows.errors import InvalidData, TooLarge


def size_of(value: object) -> int:
    """Bytes of the value as JSON. Raises InvalidData for what the database cannot hold."""
    try:
        encoded = orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise InvalidData(f"This cannot be stored as JSON: {error}") from error
    if b"\\u0000" in encoded:
        raise InvalidData("This cannot be stored as JSON: it holds a zero byte.")
    return len(encoded)


def checked_size(value: object, limit: int, what: str) -> int:
    """The size in bytes. Raises TooLarge above ``limit``, and InvalidData."""
    size = size_of(value)
    if size > limit:
        raise TooLarge(f"{what} is too large: {size:,} bytes, and the limit is {limit:,}.")
    return size
