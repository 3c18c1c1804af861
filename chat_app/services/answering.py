"""A turn as a piece of work: claimed, kept alive and repeated by the work pool."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from django.conf import settings

from chat_app.models import Turn, TurnStatus
from chat_app.services.turns import finish_turn, outcome_of_partial
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.types import Result, Retry

# Streams wait for models most of the time; how many a process carries is its own limit.
POOL = declare_pool("turns", None)

_answer: list[Callable[[UUID], Awaitable[None]]] = []


def answered_by(answer: Callable[[UUID], Awaitable[None]]) -> None:
    """The worker's part, which services do not know: called for every claimed turn."""
    _answer[:] = [answer]


@step(
    name="chat_app.answer_turn",
    pool=POOL,
    lease=settings.ONE_TURN_LEASE,
    retry=Retry(attempts=settings.ONE_TURN_MAX_ATTEMPTS),
)
async def answer_turn(turn_id: UUID) -> None:
    """Ask the model and store what it says; repeated when its worker is lost."""
    await _answer[0](turn_id)


@step(name="chat_app.turn_over", kind="transaction")
def turn_over(result: Result, context: dict[str, Any]) -> None:
    """The work has ended without the turn: its workers were lost, or it was stopped meanwhile."""
    turn = (
        Turn.objects.open()
        .filter(pk=context["turn"])
        .select_related("organisation", "requested_by", "message", "thread")
        .first()
    )
    if turn is None or turn.thread.deleted_at is not None:
        return
    stopped = result.kind == "canceled" or turn.stop_requested_at is not None
    status = TurnStatus.STOPPED if stopped else TurnStatus.FAILED
    finish_turn(turn, outcome_of_partial(turn, status))
