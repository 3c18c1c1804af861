"""Blocking calls beside the event loop, each in a thread of its own.

A shared pool would let one tenant's slow servers keep everybody waiting (measured with a pool of
six: 16 s for a message that takes none).
"""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")


def in_own_thread(call: Callable[P, T], *args: P.args, **options: P.kwargs) -> Awaitable[T]:
    """Run ``call`` in a new thread; await its result, or what it raises.

    Nobody can end a thread: whoever stops waiting leaves it behind, so that ``call`` must have a
    deadline of its own (the blocking doors have one). Needs a running loop.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():  # nobody waits any more
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value: T | None = None
        error: BaseException | None = None
        try:
            value = context.run(call, *args, **options)
        except StopIteration as stopped:  # no future takes one
            error = RuntimeError(f"{type(stopped).__name__} from a thread")
        except BaseException as raised:
            error = raised
        finally:
            connections.close_all()
        # The loop may have ended meanwhile.
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(settle, value, error)
            except RuntimeError:
                return

    name = getattr(call, "__name__", "call")
    threading.Thread(target=run, name=f"own-{name}", daemon=True).start()
    return result
