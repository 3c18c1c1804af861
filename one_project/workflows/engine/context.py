"""``WorkflowContext``: the first argument of every workflow function."""

import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast
from uuid import UUID

from one_project.workflows.definitions import Step, Workflow
from one_project.workflows.engine.futures import Future
from one_project.workflows.types import Kind

if TYPE_CHECKING:
    from one_project.workflows.engine.replay import Replay

T = TypeVar("T")


class First(NamedTuple):
    """Which of those that raced was first (0 for the first argument), and its result."""

    place: int
    value: Any


class Handle(Future[Any]):
    """A step that has been begun; await it for its result."""

    def __init__(self, n: int, name: str, cancel: Callable[["Handle"], None]) -> None:
        super().__init__()
        self.n = n
        self.name = name
        self._cancel = cancel

    def cancel(self) -> None:
        """Give it up: it does not start any more, or is told to stop, and its result is ignored."""
        if not self.done:
            self._cancel(self)


class WorkflowContext:
    """What a workflow function may do. All of it is journalled and gives the same on replay.

    A step begins when it is called, not when it is awaited: call several, then await them.
    """

    def __init__(self, replay: "Replay", run_id: UUID, started_at: datetime) -> None:
        self._replay = replay
        self.run_id = run_id
        self.started_at = started_at
        self._random = random.Random(run_id.int)  # noqa: S311 (must repeat, not surprise)

    def run_step(self, step: Step[..., Any], *args: Any, **kwargs: Any) -> Handle:
        """Begin a step; ``step.options(...)`` gives it a retry policy, a time-out, a delay.

        Awaiting it raises StepFailed, StepCanceled or (at-most-once actions) StepUnknown.
        """
        arguments = step.signature.dump(args, kwargs)
        name = step.call_options.name or step.name.rsplit(".", 1)[-1]
        return self._replay.begin(step.kind, name, step.name, arguments, step=step)

    def run_workflow(self, child: Workflow[..., Any], *args: Any, **kwargs: Any) -> Handle:
        """Begin another workflow as a child; canceled with this run."""
        arguments = child.signature.dump(args, kwargs)
        name = child.name.rsplit(".", 1)[-1]
        return self._replay.begin(Kind.WORKFLOW, name, child.name, arguments, child=child)

    def sleep(self, duration: float | timedelta, *, name: str = "sleep") -> Handle:
        """Wait so long (seconds or a timedelta), months if need be; costs nothing meanwhile."""
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
        return self._replay.begin(Kind.SLEEP, name, "", {}, delay=max(seconds, 0.0))

    def sleep_until(self, moment: datetime, *, name: str = "sleep") -> Handle:
        """Wait until then (an aware datetime)."""
        return self._replay.begin(Kind.SLEEP, name, "", {}, until=moment)

    def wait_event(
        self, name: str, kind: Any = Any, *, timeout: float | timedelta | None = None
    ) -> Handle:
        """The payload of the next event ``name``, sent before or after; of the type ``kind``.

        Raises WaitTimeout after ``timeout``.
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        return self._replay.begin(Kind.EVENT, name, "", {}, delay=seconds, payload=kind)

    async def gather(self, *awaitables: Awaitable[Any]) -> list[Any]:
        """All results, in the order of the arguments; raises the first failure as it comes."""
        futures = [self._future(awaitable) for awaitable in awaitables]
        return await _all_of(futures)

    async def first(self, *awaitables: Awaitable[Any], cancel_rest: bool = True) -> First:
        """The first that ends; raises its failure. The others are given up, unless told not to."""
        futures = [self._future(awaitable) for awaitable in awaitables]
        index = await _first_of(futures)
        if cancel_rest:
            for place, future in enumerate(futures):
                if place != index and isinstance(future, Handle):
                    future.cancel()
        return First(index, futures[index].result())

    async def map(
        self, step: Step[..., Any], items: Iterable[Any], *, limit: int = 10
    ) -> list[Any]:
        """``step(item)`` for every item, at most ``limit`` at once; results in their order."""
        todo = list(enumerate(items))
        results: list[Any] = [None] * len(todo)
        todo.reverse()

        async def lane() -> None:
            while todo:
                place, item = todo.pop()
                try:
                    results[place] = await self.run_step(step, item)
                except Exception:
                    todo.clear()  # the other lanes begin nothing more
                    raise

        await self.gather(*(lane() for _ in range(min(max(limit, 1), len(todo)))))
        return results

    def now(self) -> datetime:
        """The time (UTC) of the latest result this function was given; the same on replay."""
        return self._replay.now

    def random(self) -> float:
        """From 0 to 1; the same sequence on replay, another one for each run."""
        return self._random.random()

    def uuid(self) -> UUID:
        """A random UUID; the same on replay."""
        return UUID(int=self._random.getrandbits(128), version=4)

    def _future(self, awaitable: Awaitable[Any]) -> Future[Any]:
        if isinstance(awaitable, Future):
            return awaitable
        return self._replay.spawn(cast("Coroutine[Any, Any, Any]", awaitable))


def _all_of(futures: list[Future[Any]]) -> Future[list[Any]]:
    together: Future[list[Any]] = Future()
    left = len(futures)

    def ended(future: Future[Any]) -> None:
        nonlocal left
        left -= 1
        if future.error is not None:
            together.fail(future.error)
        elif not left:
            together.succeed([each.result() for each in futures])

    for future in futures:
        future.then(partial(ended, future))
    if not futures:
        together.succeed([])
    return together


def _first_of(futures: list[Future[Any]]) -> Future[int]:
    winner: Future[int] = Future()
    for place, future in enumerate(futures):
        future.then(partial(winner.succeed, place))
    return winner
