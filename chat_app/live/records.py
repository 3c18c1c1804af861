"""The wire format: records joined by U+001E in one WebSocket text message.

A record is a header line, a newline, and a body. Headers:

- ``s <seq> <from>``: durable changes from number ``from`` (exclusive) to ``seq``; the body is HTML
  whose top-level elements replace those of the same id, or find their place.
- ``d|h|c|r <order>-<step> <attempt> <n>``: record ``n`` of a streaming answer: append text to the
  open block, replace the open block, close it, or replace the whole body.
- ``i``: the person's list of threads changed.
- ``x <reason>``: this view has ended (``gone``), or must be loaded anew (``reload``).

``attempt`` fences: a viewer drops records of an older one. Numbers have no gaps; a viewer that
sees one asks for what it missed.
"""

from uuid import UUID

SEPARATOR = b"\x1e"
INBOX = b"i\n"
GONE = b"x gone\n"
RELOAD = b"x reload\n"
# Not for browsers: tells a hub that the rights of the thread's viewers must be looked at again.
RECHECK = b"?\n"


def thread_channel(thread_id: UUID | str) -> str:
    return f"one:t:{thread_id}"


def user_channel(user_id: UUID | str) -> str:
    return f"one:u:{user_id}"


def replay_key(turn_id: UUID | str, attempt: int) -> str:
    """The Redis stream that holds an attempt's records for late joiners."""
    return f"one:turn:{turn_id}:{attempt}"


def durable(seq: int, since: int, html: str) -> bytes:
    """A durable change, or several at once when catching up."""
    return f"s {seq} {since}\n{html}".encode()


def streaming(kind: str, position: str, attempt: int, number: int, body: str) -> bytes:
    """One record of a streaming answer; ``kind`` is d, h, c or r."""
    return f"{kind} {position} {attempt} {number}\n{body}".encode()


def durable_numbers(payload: bytes) -> tuple[int, int] | None:
    """``(seq, from)`` of a payload that is a durable record, else None."""
    if not payload.startswith(b"s "):
        return None
    _, seq, since = payload[: payload.index(b"\n")].split(b" ")
    return int(seq), int(since)
