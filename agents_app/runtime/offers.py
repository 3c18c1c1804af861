"""The tools an agent has for one person: its own definitions, its allow-list, its delegates."""

from collections.abc import Sequence
from copy import deepcopy

from agents_app.runtime.agent import Agent
from agents_app.tools.catalogue import Offered, offered_tools
from agents_app.tools.definitions import ToolDefinition, builtin_tools
from one_project.accounts.models import Organisation, User

DELEGATE = "delegate_to_agent"


def offers(
    agent: Agent,
    organisation: Organisation,
    user: User | None,
    tools: "Sequence[ToolDefinition | str] | None" = None,
) -> dict[str, Offered]:
    """By name, in the order of the list. ``tools`` replaces the agent's own (AG-2: no merging).

    An agent that may delegate has the tool for it besides, with the names it may choose from.
    """
    listed = agent.tools if tools is None else tools
    names = [one for one in listed if isinstance(one, str)]
    by_name = offered_tools(names, organisation, user)
    own = {one.name: one for one in agent.tools if isinstance(one, ToolDefinition)}
    found: dict[str, Offered] = {}
    for one in listed:
        if isinstance(one, ToolDefinition):
            found[one.name] = Offered(one)
        elif one in own:
            found[one] = Offered(own[one])
        elif one in by_name:
            found[one] = by_name[one]
    if tools is None and agent.row is not None and (made := _delegation(agent)):
        found[DELEGATE] = Offered(made)
    return found


def _delegation(agent: Agent) -> ToolDefinition | None:
    base = builtin_tools().get(DELEGATE)
    if base is None or agent.row is None:
        return None
    others = list(
        agent.row.delegates_to.filter(is_active=True, organisation=agent.row.organisation_id)
        .order_by("name")
        .values_list("name", "description")
    )
    if not others:
        return None
    known = "; ".join(f"{name}: {what}" if what else name for name, what in others)
    parameters = deepcopy(base.parameters)
    parameters["properties"]["agent"]["enum"] = [name for name, _ in others]
    return base.named(description=f"{base.description} Agents: {known}", parameters=parameters)
