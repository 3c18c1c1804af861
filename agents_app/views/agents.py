"""Whom one can talk to: the list, and the page of one agent."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from agents_app.access import access_agent, access_agent_to_edit, editable_agents
from agents_app.errors import AgentNotFound
from agents_app.forms.choices import title_of
from agents_app.models import Agent, AgentKind, Effect
from agents_app.runtime.agent import registered_agents
from agents_app.services.agents import duplicate_agent, set_agent_active
from agents_app.services.sharing import grants_on, mode_of
from agents_app.tools.catalogue import Offered, offered_tools
from agents_app.types import DEFAULT_MAX_STEPS
from agents_app.views.answers import LISTED, go_to
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.text import clean_line

SHOWN = [
    ("", "All I can use"),
    ("mine", "Mine"),
    ("shared", "Shared by others"),
    ("organisation", "The organisation's"),
    ("off", "Switched off"),
]
# What an admin looks after, private agents of others included.
ALL = ("all", "All of the organisation")


@require_safe
@member_required
def agent_list(request: MemberRequest) -> HttpResponse:
    """The agents the person may use, by name; ``q`` searches, ``show`` narrows."""
    query = clean_line(request.GET.get("q"), 100)
    show = clean_line(request.GET.get("show"), 20)
    agents = _shown(request, show)
    if query:
        agents = agents.filter(
            Q(name__icontains=query) | Q(description__icontains=query) | Q(tags__contains=[query])
        )
    found = list(agents.select_related("created_by").order_by("name", "pk")[: LISTED + 1])
    editable = editable_agents(request.user, request.organisation)
    context = {
        "agents": found[:LISTED],
        "more": len(found) > LISTED,
        "editable": set(
            editable.filter(pk__in=[agent.pk for agent in found]).values_list("pk", flat=True)
        ),
        "query": query,
        "show": show,
        "shown": [*SHOWN, ALL] if request.membership.is_admin else SHOWN,
    }
    return render(request, "agents/list.html", context)


def _shown(request: MemberRequest, show: str) -> QuerySet[Agent]:
    if show == "off":
        return editable_agents(request.user, request.organisation).filter(is_active=False)
    if show == "all":
        return editable_agents(request.user, request.organisation).filter(is_active=True)
    agents = Agent.objects.usable_by(request.user, request.organisation)
    own = Q(created_by=request.user, kind=AgentKind.USER_AGENT)
    if show == "mine":
        return agents.filter(own)
    if show == "shared":
        return agents.filter(~own, kind=AgentKind.USER_AGENT)
    if show == "organisation":
        return agents.filter(kind=AgentKind.SYSTEM_AGENT)
    return agents


@dataclass(frozen=True, slots=True)
class ToolLine:
    """A tool of an agent, as its page shows it."""

    title: str
    description: str
    effect: Effect
    asking: str


@require_safe
@member_required
def agent_page(request: MemberRequest, agent_id: UUID) -> HttpResponse:
    """One agent. What it is told and who may use it is for those who may change it."""
    try:
        agent, may_edit = access_agent_to_edit(request.user, request.organisation, agent_id), True
    except AgentNotFound:
        agent, may_edit = access_agent(request.user, request.organisation, agent_id), False
    options = agent.options if isinstance(agent.options, dict) else {}
    offered = offered_tools(agent.tools, request.organisation, request.user)
    usable = Agent.objects.usable_by(request.user, request.organisation)
    grants = grants_on(agent) if may_edit else []
    context = {
        "agent": agent,
        "may_edit": may_edit,
        "in_python": bool(agent.code_name) and agent.code_name in registered_agents(),
        "options": options,
        "max_steps": options.get("max_steps") or DEFAULT_MAX_STEPS,
        "tools": _tool_lines(offered, options),
        "missing_tools": [name for name in agent.tools if name not in offered] if may_edit else [],
        "delegates": usable.filter(delegated_from=agent).order_by("name"),
        "prompts": agent.attached_prompts.order_by("name") if may_edit else [],
        "grants": grants,
        "mode": mode_of(agent, grants),
    }
    return render(request, "agents/agent.html", context)


def _tool_lines(offered: dict[str, Offered], options: dict[str, object]) -> list[ToolLine]:
    found = options.get("approvals")
    approvals = found if isinstance(found, dict) else {}
    lines = []
    for name, one in offered.items():
        setting = one.policy if one.policy != "default" else approvals.get(name, "")
        asking = {"always": "Always asks first", "never": "Does not ask"}.get(setting, "")
        if one.definition.effect == Effect.DESTRUCTIVE:
            asking = "Always asks first"
        effect = Effect(one.definition.effect)
        lines.append(ToolLine(title_of(one.definition), one.definition.description, effect, asking))
    return sorted(lines, key=lambda line: line.title.lower())


@require_POST
@member_required
def delete(request: MemberRequest, agent_id: UUID) -> HttpResponse:
    """Switch the agent off: its messages stay, nobody can ask it any more. Can be taken back."""
    agent = access_agent_to_edit(request.user, request.organisation, agent_id)
    set_agent_active(agent, by=request.user, is_active=False)
    undo = f"/agents/{agent.pk}/restore/"
    return go_to(request, "/agents/", f"“{agent.name}” is switched off.", undo)


@require_POST
@member_required
def restore(request: MemberRequest, agent_id: UUID) -> HttpResponse:
    """Switch the agent on again."""
    agent = access_agent_to_edit(request.user, request.organisation, agent_id)
    set_agent_active(agent, by=request.user, is_active=True)
    return go_to(request, f"/agents/{agent.pk}/", f"“{agent.name}” is switched on.")


@require_POST
@member_required
def duplicate(request: MemberRequest, agent_id: UUID) -> HttpResponse:
    """A private copy to change. For those who may change the agent: a copy shows its prompt."""
    agent = access_agent_to_edit(request.user, request.organisation, agent_id)
    copy = duplicate_agent(agent, by=request.user)
    return go_to(request, f"/agents/{copy.pk}/edit/", "This is your copy. Change what you like.")
