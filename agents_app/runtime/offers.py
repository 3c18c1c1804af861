"""The tools an agent has for one person: its own definitions, its allow-list, its delegates."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from django.db.models import Q, QuerySet

from agents_app.models import Agent as AgentRow
from agents_app.models import AgentKind
from agents_app.runtime.agent import Agent
from agents_app.tools.catalogue import Offered, offered_tools
from agents_app.tools.definitions import ToolDefinition, builtin_tools
from one_project.accounts.models import Organisation, User

DELEGATE = "delegate_to_agent"

# Tools of threads that are about something of an app above, by the key of ``Thread.meta``.
_of_threads: dict[str, tuple[ToolDefinition, ...]] = {}


def offer_in_threads(key: str, *definitions: ToolDefinition) -> None:
    """Have every agent offered these in threads with ``meta[key]``, whatever it was granted.

    They are not registered as built-in tools, and say themselves where they do not belong.
    """
    _of_threads[key] = definitions


def thread_tools(meta: Mapping[str, Any] | None = None) -> dict[str, Offered]:
    """Those of a thread by its meta, by name; of any thread without it. No query."""
    return {
        one.name: Offered(one)
        for key, definitions in _of_threads.items()
        if meta is None or key in meta
        for one in definitions
    }


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
    delegation = _delegation(agent, organisation, user) if tools is None else None
    names = [one for one in listed if isinstance(one, str)]
    by_name = offered_tools([*names, DELEGATE] if delegation else names, organisation, user)
    own = {one.name: one for one in agent.tools if isinstance(one, ToolDefinition)}
    found: dict[str, Offered] = {}
    for one in listed:
        if isinstance(one, ToolDefinition):
            found[one.name] = Offered(one)
        elif one in own:
            found[one] = Offered(own[one])
        elif one in by_name:
            found[one] = by_name[one]
    if delegation and DELEGATE in by_name:
        found[DELEGATE] = replace(by_name[DELEGATE], definition=delegation)
    return found


def delegates_of(
    caller: AgentRow, organisation: Organisation, user: User | None
) -> QuerySet[AgentRow]:
    """Whom an agent may hand work to, by name.

    For the organisation's agents its admins vouch. What others have chosen must be usable, now, by
    whoever asks or by who made the agent: an agent that is shared no more is not reached this way.
    """
    found = caller.delegates_to.filter(is_active=True, organisation=organisation).order_by("name")
    if caller.kind == AgentKind.SYSTEM_AGENT:
        return found
    maker = None if user and user.pk == caller.created_by_id else caller.created_by
    usable = Q(kind=AgentKind.SYSTEM_AGENT) | Q(is_shared=True)
    for person in filter(None, (user, maker)):
        theirs = AgentRow.objects.usable_by(person, organisation)
        usable |= Q(pk__in=theirs.values("pk"))
    return found.filter(usable)


def _delegation(
    agent: Agent, organisation: Organisation, user: User | None
) -> ToolDefinition | None:
    base = builtin_tools().get(DELEGATE)
    if base is None or agent.row is None:
        return None
    others = list(delegates_of(agent.row, organisation, user).values_list("name", "description"))
    if not others:
        return None
    known = "; ".join(f"{name}: {what}" if what else name for name, what in others)
    parameters = deepcopy(base.parameters)
    parameters["properties"]["agent"]["enum"] = [name for name, _ in others]
    return base.named(description=f"{base.description} Agents: {known}", parameters=parameters)
