"""Plain values of the engine."""

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db.models import TextChoices


class Kind(TextChoices):
    """What a step of a run is."""

    ACTION = "action"
    TRANSACTION = "transaction"
    WORKFLOW = "workflow"
    SLEEP = "sleep"
    EVENT = "event"


class Status(TextChoices):
    """Where a piece of work stands; the last four are final."""

    WAITING = "waiting"  # for a time, an event or a child
    READY = "ready"  # for a worker
    RUNNING = "running"
    SUCCESS = "success"
    ERROR = "error"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


FINAL = (Status.SUCCESS, Status.ERROR, Status.CANCELED, Status.UNKNOWN)
OPEN = (Status.WAITING, Status.READY, Status.RUNNING)


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when a failed action is tried again.

    attempts: all of them, the first included. initial: seconds before the second. Each further
    wait is ``base`` times as long; all are multiplied by 0.5 to 1.5 at random (WF-8, WF-9).
    """

    attempts: int = 5
    initial: float = 0.5
    base: float = 2.0

    def delay(self, attempt: int) -> float:
        """Seconds to wait after ``attempt`` (1 for the first) has failed."""
        jitter = 0.5 + random.random()  # noqa: S311
        return self.initial * float(self.base ** (attempt - 1)) * jitter

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, value: "bool | Retry | None") -> "Retry | None":
        """True is the default policy; False and None are none at all (at most once)."""
        if isinstance(value, Retry):
            return value
        return cls() if value else None


POOL_RETRY = Retry(initial=0.25)  # the default policy of work outside of workflows (WP-4)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step or a run has no result; the traceback is for staff."""

    kind: str
    message: str
    traceback: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run or a piece of work ended; what ``on_complete`` is given (WF-18, WP-10)."""

    kind: str  # success, error or canceled
    id: UUID
    value: Any = None
    error: str = ""
    error_kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one attempt at a piece of work."""

    status: Status
    result: Any = None
    failure: Failure | None = None
    retryable: bool = True
    put_off: float | None = None  # seconds; the attempt does not count


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A piece of work this process holds until its lease ends."""

    id: UUID
    token: UUID
    function: str
    kind: str
    arguments: dict[str, Any]
    attempt: int
    lease: float
    timeout: float | None
    retry: dict[str, Any] | None
    run_id: UUID | None
    organisation_id: UUID | None
    name: str


@dataclass(frozen=True, slots=True)
class Host:
    """The process that works: its name, and how much more it can take."""

    worker: str
    room: Callable[[], int]
