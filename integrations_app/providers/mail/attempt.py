"""One blocking try with a deadline: in a thread of its own, and nothing is sent after it."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from integrations_app.errors import OutcomeUnknown, Transient
from integrations_app.providers.threads import in_own_thread

T = TypeVar("T")


class Attempt:
    """Where the try stands, for its thread and for the one that waits.

    A thread cannot be stopped. So it asks before it hands anything over (``begin``), and whoever
    stops waiting says so (``give_up``): either nothing was sent and nothing will be, or it is
    known that it may have been.
    """

    def __init__(self, deadline: float) -> None:
        # A little earlier than whoever waits, who knows less of what went wrong.
        self._ends = time.monotonic() + 0.9 * deadline
        self._lock = threading.Lock()
        self._begun = False
        self._given_up = False

    @property
    def left(self) -> float:
        """Seconds until the deadline, never 0: for time-outs of sockets."""
        return max(self._ends - time.monotonic(), 0.05)

    def begin(self) -> None:
        """From here on it may be sent. Raises Transient when nobody waits any more."""
        with self._lock:
            if self._given_up or time.monotonic() >= self._ends:
                raise Transient(code="timeout")
            self._begun = True

    def give_up(self) -> bool:
        """Nobody waits any more; whether it may have been sent."""
        with self._lock:
            self._given_up = True
            return self._begun


async def within(deadline: float, call: Callable[[Attempt], T], *, sends: bool = True) -> T:
    """What ``call`` returns or raises, ``deadline`` seconds from now at most.

    Raises OutcomeUnknown after the deadline when a message may have been sent, else Transient.
    """
    attempt = Attempt(deadline)
    late = False
    try:
        async with asyncio.timeout(deadline):
            return await in_own_thread(call, attempt)
    except TimeoutError:
        late = attempt.give_up() and sends
    except asyncio.CancelledError:
        attempt.give_up()
        raise
    if late:
        raise OutcomeUnknown(code="timeout")
    raise Transient(code="timeout")
