"""The beginning of a turn in a worker: claimed, routed, its context read."""

from collections.abc import Sequence
from uuid import UUID

from agents_app.providers.base import ChatRequest
from agents_app.runtime.recorded import RecordedCall
from agents_app.search.query_vectors import query_vector
from chat_app.live.broadcast import Broadcaster
from chat_app.models import Turn
from chat_app.runtime.context import build_request
from chat_app.runtime.options import turn_agent, turn_options, turn_tools
from chat_app.services.steps import StepTools
from chat_app.services.turns import begin_turn
from chat_app.worker.routing import routed
from chat_app.worker.turn import RunningTurn, caller_of
from one_project.common.database import in_thread
from one_project.workflows.current import current_work


async def begin(turn_id: UUID, broadcaster: Broadcaster) -> RunningTurn | None:
    """Begin the turn and read its context; None when there is nothing to answer any more."""
    token = current_work().claimed.token
    searched: Sequence[RecordedCall] = ()
    turn, prepared = await in_thread(_begin_with_context, turn_id, token)
    if turn is None:
        return None
    if prepared is None:
        if "route" in turn.meta:
            await routed(turn, token)
        if question := await in_thread(_searched_by_meaning, turn):
            # Kept for a moment, where building the context finds it.
            found = await query_vector(turn.organisation_id, question, caller=caller_of(turn))
            searched = found.calls
        prepared = await in_thread(_prepare, turn)
    return RunningTurn(turn, *prepared, broadcaster, searched)


def _begin_with_context(
    turn_id: UUID, token: UUID
) -> tuple[Turn | None, tuple[ChatRequest, StepTools] | None]:
    turn = begin_turn(turn_id, token=token)
    # Who answers decides what there is to read, and so does what a search finds.
    ready = turn is not None and "route" not in turn.meta and not _searched_by_meaning(turn)
    return turn, _prepare(turn) if turn is not None and ready else None


def _searched_by_meaning(turn: Turn) -> str:
    """The text whose vector the context needs; empty where it needs none."""
    context = turn_options(turn).context
    wanted = context is not None and context.search_options.vector_search
    return turn.prompt.text if wanted else ""


def _prepare(turn: Turn) -> tuple[ChatRequest, StepTools]:
    options = turn_options(turn)
    offered = turn_tools(turn, options)
    tools = StepTools(offered=offered, options=options, agent=turn_agent(turn))
    return build_request(turn, offered=tools.offered), tools
