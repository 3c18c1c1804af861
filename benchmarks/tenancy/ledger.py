"""What was tried, what came through, and whether it would have been noticed."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

MOST_TOLD = 20
DEPTH = 7


@dataclass(slots=True)
class Ledger:
    """leaks: one line each. blind: controls that did not see what is the asker's own."""

    probes: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    controls: int = 0
    blind: list[str] = field(default_factory=list)

    def probe(self, way: str, what: str, leak: str) -> None:
        """One probe; ``leak`` says what came through, "" for nothing."""
        self.probes[way] += 1
        if leak:
            self.leaks.append(f"{way}, {what}: {leak}")

    def control(self, way: str, what: str, *, seen: bool) -> None:
        """The same with the rights for it: it has to come through."""
        self.controls += 1
        if not seen:
            self.blind.append(f"{way}, {what}: does not see what is its own")

    def lines(self) -> list[str]:
        """What is bad, in words."""
        found = [*self.leaks[:MOST_TOLD], *self.blind[:MOST_TOLD]]
        more = len(self.leaks) + len(self.blind) - len(found)
        return [*found, f"and {more} more"] if more else found


@contextmanager
def undone() -> Iterator[None]:
    """Whatever the block writes is taken back: no probe changes what the next one meets."""
    from django.db import transaction

    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def outcome(call: Any) -> str:
    """All that is told by ``call()``, its error included, as text. Errors of our own only."""
    from agents_app.tools.definitions import ToolError
    from one_project.common.errors import AppError

    try:
        return told(call())
    except AppError as error:
        return f"{type(error).__name__} {error.code} {error.user_message}"
    except ToolError as error:
        return f"ToolError {error.code} {error}"


def told(value: Any, depth: int = DEPTH) -> str:
    """Everything a value holds, rows with what they have loaded."""
    from django.db.models import Model, QuerySet

    if depth == 0 or value is None or isinstance(value, str | int | float):
        return "" if value is None else str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Model):
        value = {**value.__dict__, "_state": None, "loaded": value._state.fields_cache}
    elif dataclasses.is_dataclass(value):
        value = [getattr(value, one.name) for one in dataclasses.fields(value)]
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset | QuerySet):
        return " ".join(told(one, depth - 1) for one in value)
    with suppress(AttributeError, TypeError):
        return told(value.read(), depth - 1)
    return str(value)
