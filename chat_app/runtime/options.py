"""What holds for one turn: its agent, its options, its tools.

Options of the call win over the thread's, and those over the agent's (AG-2). They replace one
another; nothing is merged.
"""

import logging
from collections.abc import Mapping
from typing import Any

from django.db.models import prefetch_related_objects
from pydantic import ValidationError

from agents_app.models import Agent as AgentRow
from agents_app.runtime.agent import Agent, agent_of
from agents_app.runtime.offers import offers, thread_tools
from agents_app.tools.catalogue import Offered
from agents_app.types import DEFAULT_MAX_STEPS, AgentOptions, read_options
from chat_app.models import Thread, Turn
from one_project.accounts.models import Organisation, User

logger = logging.getLogger(__name__)


def agent_behind(row: AgentRow | None) -> Agent | None:
    """The agent of a row. One query for its attached prompts, at the first time only."""
    if row is None:
        return None
    prefetch_related_objects([row], "attached_prompts")
    return agent_of(row)


def turn_agent(turn: Turn) -> Agent | None:
    """Who answers the turn; None where the agent has been deleted meanwhile."""
    return agent_behind(turn.agent)


def turn_options(turn: Turn) -> AgentOptions:
    """Call > thread > agent. ``model``, ``instructions`` and ``max_steps`` are filled in too.

    ``model`` None means the installation's default. Raises pydantic's ValidationError where the
    agent's stored options are none.
    """
    return options_of(turn_agent(turn), turn.thread, _stored(turn.options, f"turn {turn.pk}"))


def options_of(
    agent: Agent | None, thread: Thread | None = None, call: AgentOptions | None = None
) -> AgentOptions:
    """As ``turn_options``, for a call that is no turn."""
    own = {"max_steps": DEFAULT_MAX_STEPS}
    told = {"model": agent.model, "instructions": agent.instructions} if agent else {}
    options = AgentOptions.model_construct(
        None, **own, **{name: value for name, value in told.items() if value}
    )
    if agent is not None:
        options = agent.options.over(options)
    if thread is not None:
        options = _stored(thread.meta.get("options"), f"thread {thread.pk}").over(options)
    return call.over(options) if call is not None else options


def last_step(options: AgentOptions) -> int:
    """How many times the model is asked at most for one answer."""
    return options.max_steps or DEFAULT_MAX_STEPS


def tool_choice(options: AgentOptions, step: int) -> str | None:
    """What the model of step ``step`` (from 1) may do with the tools it is offered.

    At the last one it has to answer in words, as nobody would read what its tools find. An agent
    of a single step is no loop: it may call, and its caller has the calls (AG-3).
    """
    last = last_step(options)
    return "none" if 1 < last <= step else options.tool_choice


def turn_tools(turn: Turn, options: AgentOptions) -> dict[str, Offered]:
    """What the agent may use in this turn, by name, in its order. Three queries at most.

    What the thread is about may bring tools of its own, which no agent has to be given.
    """
    found = tools_of(turn_agent(turn), options, turn.organisation, turn.requested_by)
    return {**found, **thread_tools(turn.thread.meta)}


def tools_of(
    agent: Agent | None, options: AgentOptions, organisation: Organisation, user: User | None
) -> dict[str, Offered]:
    """As ``turn_tools``. ``options.tools`` replaces the agent's list; definitions need no row."""
    return offers(agent or Agent(name=""), organisation, user, options.tools)


def _stored(data: Mapping[str, Any] | None, where: str) -> AgentOptions:
    """Stored options. A field that is not valid is left out: it must not end the conversation."""
    try:
        return read_options(data)
    except ValidationError as error:
        wrong = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
        logger.warning("options of %s: %s left out", where, ", ".join(sorted(wrong)))
        return read_options({key: value for key, value in (data or {}).items() if key not in wrong})
