"""Awaitables of a workflow function and the tasks that await them.

A small event loop without a clock: what is ready runs in the order in which it became ready, so
the same journal always gives the same interleaving.
"""

from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Future(Generic[T]):
    """Something that will have a value or an error."""

    def __init__(self) -> None:
        self.done = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._then: list[Callable[[], None]] = []

    def __await__(self) -> Generator["Future[T]", None, T]:
        if not self.done:
            yield self
        return self.result()

    def result(self) -> T:
        """The value; raises the error, or RuntimeError while there is neither."""
        if not self.done:
            raise RuntimeError("this has no result yet; await it")
        if self._error is not None:
            raise self._error
        return cast("T", self._value)

    @property
    def error(self) -> BaseException | None:
        return self._error

    def then(self, call: Callable[[], None]) -> None:
        """Call it once this is done (now, if it is)."""
        if self.done:
            call()
        else:
            self._then.append(call)

    def succeed(self, value: T) -> None:
        self._end(value, None)

    def fail(self, error: BaseException) -> None:
        self._end(None, error)

    def _end(self, value: T | None, error: BaseException | None) -> None:
        if self.done:
            return
        self.done, self._value, self._error = True, value, error
        then, self._then = self._then, []
        for call in then:
            call()


class ForeignAwaitError(Exception):
    """The function awaited something that is not a step."""


class Task(Future[T]):
    """A coroutine that is run whenever what it awaits is done."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], ready: "deque[Task[Any]]") -> None:
        super().__init__()
        self._coroutine = coroutine
        self._ready = ready
        ready.append(self)

    def run(self) -> None:
        """Until it awaits something that is not done. BaseExceptions of the engine pass through."""
        if self.done:
            return
        try:
            awaited = self._coroutine.send(None)
        except StopIteration as stop:
            self.succeed(stop.value)
        except Exception as error:
            self.fail(error)
        else:
            if not isinstance(awaited, Future):
                self.close()
                raise ForeignAwaitError(
                    f"a workflow function awaits only its context, not {type(awaited).__name__}; "
                    "put input and output into a step"
                )
            awaited.then(lambda: self._ready.append(self))

    def close(self) -> None:
        self._coroutine.close()
