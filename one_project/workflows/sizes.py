"""How large stored values may be."""

import orjson

from one_project.workflows.errors import TooLarge


def size_of(value: object) -> int:
    """Bytes of the value as JSON."""
    return len(orjson.dumps(value))


def checked_size(value: object, limit: int, what: str) -> int:
    """The size in bytes. Raises TooLarge above ``limit``."""
    size = size_of(value)
    if size > limit:
        raise TooLarge(f"{what} is too large: {size:,} bytes, and the limit is {limit:,}.")
    return size
