"""Workers that die, and effects that can be counted."""

from typing import Any

from one_project.accounts.models import Event
from one_project.workflows.current import current_work
from one_project.workflows.definitions import step
from one_project.workflows.types import Result
from tests.workflows import samples


class Killed(BaseException):
    """SIGKILL, as far as Python can tell of it."""


@step(kind="transaction")
def tell(result: Result, context: Any) -> None:
    """An ``on_complete`` whose effect can be counted, and that can be killed."""
    samples.note.function(f"ended {result.kind}")
    if samples.FAIL.get("tell", 0):
        samples.FAIL["tell"] -= 1
        raise Killed


@step(retry=True)
def effect(text: str) -> str:
    samples.CALLS.append((text, current_work().idempotency_key))
    return text


def noted(kind: str) -> int:
    return Event.objects.filter(kind=kind).count()
