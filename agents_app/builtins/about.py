"""Who is here: the organisation, the person, the agent itself."""

from typing import Any, Literal

from pydantic import Field

from agents_app.models import Agent
from agents_app.runtime.offers import delegates_of
from agents_app.tools.definitions import Arguments, ToolContext, ToolError, tool
from one_project.accounts.access import find_membership
from one_project.accounts.models import Membership, Team


class GetContext(Arguments):
    which: Literal["group", "user", "agent"] = Field(
        description="group: the organisation; user: the person you talk with; agent: you."
    )


@tool(name="get_context", title="Who is here")
def get_context(arguments: GetContext, context: ToolContext) -> dict[str, Any]:
    """Get facts about the organisation, the person you talk with, or yourself."""
    return {"group": _group, "user": _user, "agent": _agent}[arguments.which](context)


def _group(context: ToolContext) -> dict[str, Any]:
    organisation = context.organisation
    return {
        "name": organisation.name,
        "members": Membership.objects.active().filter(organisation=organisation).count(),
        "teams": list(
            Team.objects.filter(organisation=organisation)
            .order_by("name")
            .values_list("name", flat=True)[:50]
        ),
        "agents": Agent.objects.active().filter(organisation=organisation).count(),
    }


def _user(context: ToolContext) -> dict[str, Any]:
    # The address is left out: what a tool returns, the model's provider reads.
    user = context.user
    membership = find_membership(user, context.organisation.pk) if user else None
    if user is None or membership is None:
        raise ToolError("No person is asking; a program is.", code="no_user")
    teams = Team.objects.filter(organisation=context.organisation, team_members__user=user)
    return {
        "name": user.name or "unknown",
        "role": membership.role,
        "teams": list(teams.order_by("name").values_list("name", flat=True)[:50]),
        "timezone": user.timezone,
    }


def _agent(context: ToolContext) -> dict[str, Any]:
    agent = context.agent
    if agent is None:
        raise ToolError("This agent is a program and has no entry.", code="no_agent")
    return {
        "name": agent.name,
        "description": agent.description,
        "tools": list(agent.tools),
        "delegates_to": list(
            delegates_of(agent, context.organisation, context.user).values_list("name", flat=True)[
                :50
            ]
        ),
    }
