"""Who answers a turn that named nobody: chosen in the worker, since it takes a model."""

import asyncio
import logging
from uuid import UUID

from django.conf import settings

from agents_app.models import Agent as AgentRow
from agents_app.providers.errors import ModelError
from agents_app.runtime.agent import Agent, agent_of
from agents_app.runtime.routing import choose_by_model, choose_by_similarity
from chat_app.models import Routing, Turn
from chat_app.services.turns import route_turn
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.workflows.services.settle import WorkLost

logger = logging.getLogger(__name__)

PATIENCE = 20.0
CANDIDATES = 30


async def routed(turn: Turn, token: UUID) -> None:
    """Give the turn to whom its thread's routing chooses; it stays with the thread's agent where
    nobody can be chosen in time. Raises WorkLost when the turn is ours no more."""
    way = turn.meta["route"]
    agents = await in_thread(_candidates, turn)
    chosen = None
    try:
        async with asyncio.timeout(PATIENCE):
            if way == Routing.SIMILARITY:
                chosen = await choose_by_similarity(
                    turn.prompt.text,
                    agents,
                    organisation=turn.organisation,
                    user=turn.requested_by,
                    thread_id=turn.thread_id,
                )
            else:
                chosen = await choose_by_model(
                    settings.ONE_ROUTER_MODEL or None,
                    turn.prompt.text,
                    agents,
                    organisation=turn.organisation,
                    user=turn.requested_by,
                    thread_id=turn.thread_id,
                )
    except (AppError, ModelError, TimeoutError) as error:
        logger.warning("turn %s keeps its agent, nobody was chosen: %r", turn.pk, error)
    row = chosen.row if chosen and chosen.row else turn.agent
    if not await in_thread(route_turn, turn, row, token=token):
        raise WorkLost(f"turn {turn.pk} belongs to somebody else now")


def _candidates(turn: Turn) -> list[Agent]:
    person = turn.requested_by
    if person is None:
        return [agent_of(turn.agent)] if turn.agent else []
    usable = AgentRow.objects.usable_by(person, turn.organisation).order_by("created_at")
    return [agent_of(row) for row in usable.prefetch_related("attached_prompts")[:CANDIDATES]]
