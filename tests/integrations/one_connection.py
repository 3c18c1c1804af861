"""Asyncio code of ours on the test's own database connection. Not a test module.

``in_thread`` takes a connection of its own, which sees only what is committed; tests that commit
cost seconds each. Where the threads are not what is tested, they all meet on the main thread.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async


def share_connection(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """Have ``in_thread`` of these modules run on the main thread, under ``awaited``."""

    async def in_main_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await sync_to_async(function, thread_sensitive=True)(*args, **kwargs)

    for module in modules:
        monkeypatch.setattr(module, "in_thread", in_main_thread)


def awaited(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What an async function gives, called from the main thread."""

    async def call() -> Any:
        return await function(*args, **kwargs)

    return async_to_sync(call)()
