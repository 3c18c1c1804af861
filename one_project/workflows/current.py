"""What a step may know of the attempt it is: ``current_work()``."""

import threading
from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID

from one_project.workflows.types import Claimed


@dataclass(frozen=True, slots=True)
class CurrentWork:
    """One attempt at a piece of work, seen from inside."""

    claimed: Claimed
    stopping: threading.Event = field(default_factory=threading.Event)
    why: list[str] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self.claimed.attempt

    @property
    def idempotency_key(self) -> UUID:
        """The same for all attempts: give it to whoever has the effect, if they take one."""
        return self.claimed.id

    @property
    def cancelled_for(self) -> str:
        """``stop``: somebody wants it to end. ``lost`` and ``shutdown``: another worker goes on,
        so write nothing. Empty while nothing of it happened."""
        return self.why[0] if self.why else ""

    def end(self) -> None:
        """To be said by a step that is about to store its end itself, and with it give its lease
        up: what comes after is not cancelled because the lease is gone."""
        self.ending.set()

    def cancel(self, why: str) -> None:
        self.why.append(why)
        self.stopping.set()

    @property
    def is_canceled(self) -> bool:
        """Whether a long sync step should stop; async ones are cancelled where they await."""
        return self.stopping.is_set()


_current: ContextVar[CurrentWork | None] = ContextVar("current_work", default=None)


def current_work() -> CurrentWork:
    """The attempt that runs here. Raises RuntimeError outside of one."""
    found = _current.get()
    if found is None:
        raise RuntimeError("this is not running as a piece of work")
    return found


def set_current(work: CurrentWork) -> None:
    _current.set(work)
