"""A workflow function driven over its journal.

The function is run from the top; what it begins is compared with the journal by number, kind,
name, function and arguments; results are given in the order in which they were settled the first
time, so that everything that depends on who was first comes out the same. What is not in the
journal yet comes out as commands. A replay can be kept in memory and given new results
(``deliver``), which is the same as replaying from the top, only cheaper.
"""

from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from one_project.workflows.definitions import Step, Workflow, load_as
from one_project.workflows.engine.context import Handle, WorkflowContext
from one_project.workflows.engine.futures import ForeignAwaitError, Task
from one_project.workflows.errors import (
    DeterminismError,
    StepCanceled,
    StepError,
    StepFailed,
    StepUnknown,
    WaitTimeout,
)
from one_project.workflows.types import Kind, Status

TIMED_OUT = "WaitTimeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A step as the journal has it."""

    n: int
    kind: str
    name: str
    function: str
    arguments: dict[str, Any]
    status: str
    result: Any = None
    error: dict[str, Any] | None = None
    settled_seq: int | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A step to begin. ``delay`` in seconds, ``until`` a moment; of an event: its time-out."""

    n: int
    kind: Kind
    name: str
    function: str
    arguments: dict[str, Any]
    step: Step[..., Any] | None = None
    child: Workflow[..., Any] | None = None
    delay: float | None = None
    until: datetime | None = None


class _Stop(BaseException):
    """Leaves the function at once; nothing in it should catch this."""


class Replay:
    """One run in memory. ``start`` once, then ``deliver`` whatever is settled, in order."""

    def __init__(
        self,
        definition: Workflow[..., Any],
        run_id: UUID,
        started_at: datetime,
        arguments: dict[str, Any],
        journal: Iterable[Entry] = (),
    ) -> None:
        self.now = started_at
        self._definition = definition
        self._arguments = arguments
        self._context = WorkflowContext(self, run_id, started_at)
        self._known = {entry.n: entry for entry in journal}
        self._next = 0
        self._handles: dict[int, Handle] = {}
        self._loaders: dict[int, Callable[[Any], Any]] = {}
        self._ready: deque[Task[Any]] = deque()
        self._tasks: list[Task[Any]] = []
        self._main: Task[Any] | None = None
        self._violation = ""
        self._commands: list[Command] = []
        self._canceled: list[int] = []

    # --- the engine's side ---------------------------------------------------------------------

    def start(self) -> None:
        """Run over the whole journal. Raises DeterminismError."""
        arguments = self._definition.signature.load(self._arguments)
        self._main = self.spawn(self._definition.function(self._context, **arguments))
        self._run()
        settled = [entry for entry in self._known.values() if entry.settled_seq is not None]
        for entry in sorted(settled, key=lambda entry: entry.settled_seq or 0):
            self.deliver(entry)
        self._refuse_rest()

    def deliver(self, entry: Entry) -> None:
        """Give the function a result and let it go on. Raises DeterminismError."""
        if entry.finished_at is not None:
            self.now = max(self.now, entry.finished_at)
        handle = self._handles.pop(entry.n, None)
        loader = self._loaders.pop(entry.n, None)
        if handle is None or loader is None:
            self._violate(f"step {entry.n} ({entry.kind} {entry.name}) is not begun any more")
            raise DeterminismError(self._violation)
        if not self.ended:
            _settle(handle, loader, entry)
            self._run()

    @property
    def ended(self) -> bool:
        return self._main is not None and self._main.done

    @property
    def value(self) -> Any:
        """What the function returned; raises what it raised."""
        return self._main.result() if self._main else None

    def take(self) -> tuple[list[Command], list[int]]:
        """The new commands, and the steps given up, since the last call."""
        commands, self._commands = self._commands, []
        canceled, self._canceled = self._canceled, []
        return commands, canceled

    def put_back(self, commands: list[Command], canceled: Sequence[int] = ()) -> None:
        """What is not written down yet: the next ``take`` gives it again, first."""
        self._commands[:0] = commands
        self._canceled[:0] = canceled

    def close(self) -> None:
        """Free the coroutines; what they do on the way out is not heard."""
        self._violation = self._violation or "the run is closed"
        for task in self._tasks:
            with suppress(BaseException):
                task.close()

    # --- the context's side --------------------------------------------------------------------

    def begin(
        self,
        kind: Kind,
        name: str,
        function: str,
        arguments: dict[str, Any],
        *,
        step: Step[..., Any] | None = None,
        child: Workflow[..., Any] | None = None,
        delay: float | None = None,
        until: datetime | None = None,
        payload: Any = Any,
    ) -> Handle:
        """The next step: found in the journal or new."""
        if self._violation:
            raise _Stop
        n, self._next = self._next, self._next + 1
        if (entry := self._known.get(n)) is not None:
            self._compare(entry, kind, name, function, arguments)
        else:
            self._commands.append(
                Command(
                    n=n, kind=kind, name=name, function=function, arguments=arguments,
                    step=step, child=child, delay=delay, until=until,
                )
            )  # fmt: skip
        handle = Handle(n, name, self._give_up)
        self._handles[n] = handle
        self._loaders[n] = _loader(step, child, payload, name)
        return handle

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> Task[Any]:
        """Run a branch of the function beside the others."""
        task = Task(coroutine, self._ready)
        self._tasks.append(task)
        return task

    def _give_up(self, handle: Handle) -> None:
        entry = self._known.get(handle.n)
        # On replay the journal has it already, with the moment at which the function was told.
        if entry is None or entry.settled_seq is None:
            self._canceled.append(handle.n)

    # --- inside --------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._ready and not self.ended:
            try:
                self._ready.popleft().run()
            except _Stop:
                pass
            except ForeignAwaitError as error:
                self._violation = str(error)
            if self._violation:
                message = self._violation
                self.close()
                raise DeterminismError(message)

    def _compare(
        self, entry: Entry, kind: Kind, name: str, function: str, arguments: dict[str, Any]
    ) -> None:
        was = (entry.kind, entry.name, entry.function)
        if was != (kind, name, function):
            self._violate(
                f"step {entry.n} was {_called(*was)} and is now {_called(kind, name, function)}"
            )
            raise _Stop
        if entry.arguments != arguments:
            self._violate(
                f"step {entry.n} ({name}) was begun with {_short(entry.arguments)} "
                f"and is now begun with {_short(arguments)}"
            )
            raise _Stop

    def _refuse_rest(self) -> None:
        """Steps that the function does not reach any more: code was removed, also at the end."""
        left = sorted(n for n in self._known if n >= self._next)
        if left:
            entry = self._known[left[0]]
            self._violate(f"step {entry.n} ({entry.kind} {entry.name}) is not begun any more")
            raise DeterminismError(self._violation)

    def _violate(self, message: str) -> None:
        self._violation = (
            f"{self._definition.name} v{self._definition.version} does not do what it did before: "
            f"{message}. Give changed code a new version, or put it back."
        )


def _loader(
    step: Step[..., Any] | None, child: Workflow[..., Any] | None, payload: Any, name: str
) -> Callable[[Any], Any]:
    if step is not None:
        return step.signature.load_result
    if child is not None:
        return child.signature.load_result
    return lambda value: load_as(payload, value, f"the event {name}")


def _settle(handle: Handle, load: Callable[[Any], Any], entry: Entry) -> None:
    if entry.status == Status.SUCCESS:
        try:
            handle.succeed(load(entry.result))
        except Exception as error:
            handle.fail(error)
        return
    found = entry.error or {}
    message, kind = str(found.get("message", "")), str(found.get("kind", ""))
    cause: type[StepError] = StepFailed
    if entry.status == Status.CANCELED:
        cause, message = StepCanceled, message or "Canceled"
    elif entry.status == Status.UNKNOWN:
        cause = StepUnknown
    elif kind == TIMED_OUT:
        cause = WaitTimeout
    handle.fail(cause(message, step=entry.name, kind=kind))


def _called(kind: str, name: str, function: str) -> str:
    return f"{kind} {name}" + (f" ({function})" if function else "")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
