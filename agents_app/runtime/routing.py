"""Which agent answers a question: a cheap model chooses, or the nearest description."""

import math
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, create_model

from agents_app.models import Purpose
from agents_app.providers.embeddings import Vector
from agents_app.providers.registry import NO_EMBEDDINGS, resolve_embedding_model
from agents_app.runtime.agent import Agent
from agents_app.runtime.recorded import Caller
from agents_app.runtime.recorded_embeddings import RecordedEmbedder
from agents_app.runtime.store import keep
from agents_app.types import AgentOptions
from one_project.accounts.models import Organisation, User
from one_project.common.database import in_thread
from one_project.common.errors import InvalidInput

ROUTER = "Router"
INSTRUCTIONS = (
    "Choose who answers the question. Go by what each of them does; do not answer yourself."
)


class _Choice(BaseModel):
    """Base of the answer: the name of one of the agents."""

    agent: str


async def choose_by_model(
    model: str | None,
    question: str,
    agents: Sequence[Agent],
    *,
    organisation: Organisation | None = None,
    user: User | None = None,
    thread_id: UUID | None = None,
) -> Agent:
    """The agent that ``model`` (None: the default) chooses, by structured output.

    With one agent nobody is asked. The rest says whose the call is in the ledger; nothing is said
    in the thread. Raises ObjectInvalid, ModelError, and InvalidInput without any agent.
    """
    if len(agents) < 2:
        return _only(agents)
    names = tuple(agent.name for agent in agents)
    fields: dict[str, Any] = {"agent": (Literal[names], ...)}
    schema = create_model("Choice", __base__=_Choice, **fields)
    known = "\n".join(
        f"- {agent.name}: {agent.description or 'no description'}" for agent in agents
    )
    router = Agent(
        name=ROUTER,
        instructions=f"{INSTRUCTIONS}\n{known}",
        model=model or "",
        options=AgentOptions.model_construct(None, temperature=0.0),
    )
    chosen = await router.generate_object(
        schema,
        prompt=question,
        organisation=organisation,
        user=user,
        purpose=Purpose.ROUTING,
        about_thread_id=thread_id,
    )
    return agents[names.index(chosen.object.agent)]


async def choose_by_similarity(
    question: str,
    agents: Sequence[Agent],
    *,
    organisation: Organisation | None = None,
    user: User | None = None,
    thread_id: UUID | None = None,
) -> Agent:
    """The agent whose name and description are nearest to the question by embeddings.

    The rest is as for ``choose_by_model``. Raises InvalidInput without any agent or without an
    embedding model, ModelError.
    """
    if len(agents) < 2:
        return _only(agents)
    caller = Caller(
        organisation_id=organisation.pk if organisation else None,
        user_id=user.pk if user else None,
        agent_name=ROUTER,
        thread_id=thread_id,
    )
    texts = [question, *(f"{agent.name}: {agent.description}" for agent in agents)]
    asked, *known = await _vectors(texts, caller)
    nearness = [_cosine(asked, vector) for vector in known]
    return agents[nearness.index(max(nearness))]


async def _vectors(texts: Sequence[str], caller: Caller) -> Sequence[Vector]:
    """The texts as vectors; the call is kept in the ledger, also one that failed."""
    model = resolve_embedding_model()
    if model is None:
        raise InvalidInput(NO_EMBEDDINGS)
    asked = RecordedEmbedder(model, caller, is_limited=True)
    try:
        return (await asked.embed(texts)).vectors
    finally:
        await in_thread(keep, asked.take(), [])


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    lengths = math.sqrt(sum(x * x for x in one)) * math.sqrt(sum(x * x for x in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / lengths if lengths else 0.0


def _only(agents: Sequence[Agent]) -> Agent:
    if not agents:
        raise InvalidInput("There is no agent to choose from.")
    return agents[0]
