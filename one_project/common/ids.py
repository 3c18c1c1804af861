"""Identifiers: UUIDv7, so that rows made later sort later and indexes stay dense (RFC 9562)."""

import uuid

from uuid6 import uuid7


def new_id() -> uuid.UUID:
    """A new UUIDv7 as a standard :class:`uuid.UUID`."""
    return uuid.UUID(int=uuid7().int)


def parse_id(value: object) -> uuid.UUID | None:
    """``value`` as a UUID, or None when it is not one (client input; never raises)."""
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(str(value))
    except ValueError:
        return None
