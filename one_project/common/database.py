"""Database work from asyncio code: run a sync function in a thread, give the connection back.

Django's connections belong to threads; with a pool, closing one returns it. ``in_thread`` is the
only way asyncio code of ours touches the ORM.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")

# Fewer threads than the pool has connections, so that none of them waits for one.
THREADS = 6
_executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="database")
# One more for what must not wait behind a crowd: leases that lapse cost the whole answer.
_urgent = ThreadPoolExecutor(max_workers=1, thread_name_prefix="urgent")


def _run(call: Callable[[], T]) -> T:
    try:
        return call()
    finally:
        connections.close_all()


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Await ``function(*args, **kwargs)`` run in a thread with a database connection of its own."""
    call = partial(function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_executor, _run, call)


async def in_urgent_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As ``in_thread``, past all that waits there. For one short call at a time."""
    call = partial(function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_urgent, _run, call)
