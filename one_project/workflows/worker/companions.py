"""What upper apps want to run on the engine's loop beside the work itself."""

from collections.abc import Callable, Sequence
from typing import Protocol


class Companion(Protocol):
    """Begun with the engine, for as long as it lives."""

    async def run(self) -> None:
        """Runs until it is cancelled with the loop."""

    async def stop(self) -> None:
        """The engine ends; its work has been given back."""


_made: list[Callable[[], Companion]] = []


def accompany(make: Callable[[], Companion]) -> None:
    """Have ``make()`` run beside every engine. Call it once, in ``AppConfig.ready``."""
    if make not in _made:
        _made.append(make)


def companions() -> Sequence[Callable[[], Companion]]:
    return _made
