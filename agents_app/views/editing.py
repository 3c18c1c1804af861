"""The form of an agent: a new one, or one that is there."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from agents_app.access import access_agent_to_edit
from agents_app.forms import AgentForm
from agents_app.models import Agent
from agents_app.runtime.agent import registered_agents
from agents_app.services.agents import make_agent, update_agent
from agents_app.views.answers import complain, go_to
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, Conflict

# Shown beside every box a prompt is written in; the context of a thread fills them.
VARIABLES = ("user.name", "organisation.name", "thread.title", "agent.name", "date")


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def new_agent(request: MemberRequest) -> HttpResponse:
    """GET shows an empty form; POST makes the agent, private unless shared in the form."""
    if request.method != "POST":
        return _page(request, AgentForm(membership=request.membership))
    form = AgentForm(request.POST, membership=request.membership)
    status = 422
    if form.is_valid():
        try:
            agent = make_agent(
                request.organisation,
                by=request.user,
                values=form.values(),
                sharing=form.sharing(),
            )
        except AppError as error:
            status = complain(form, error, "share_")
        else:
            return go_to(request, f"/agents/{agent.pk}/", f"“{agent.name}” is ready.")
    return _page(request, form, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def edit_agent(request: MemberRequest, agent_id: UUID) -> HttpResponse:
    """GET shows the form; POST saves all of it."""
    agent = access_agent_to_edit(request.user, request.organisation, agent_id)
    seen = agent.updated_at.isoformat()
    if request.method != "POST":
        form = AgentForm(membership=request.membership, agent=agent)
        return _page(request, form, agent, seen=seen)
    form = AgentForm(request.POST, membership=request.membership, agent=agent)
    status, keep_seen = 422, True
    if form.is_valid():
        try:
            update_agent(
                agent,
                by=request.user,
                values=form.values(),
                sharing=form.sharing(),
                seen=form.seen,
            )
        except AppError as error:
            status = complain(form, error, "share_")
            keep_seen = not isinstance(error, Conflict)
        else:
            return go_to(request, f"/agents/{agent.pk}/", "Saved.")
    if keep_seen and form.seen is not None:
        seen = form.seen.isoformat()
    return _page(request, form, agent, seen=seen, status=status)


def _page(
    request: MemberRequest,
    form: AgentForm,
    agent: Agent | None = None,
    *,
    seen: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "form": form,
        "agent": agent,
        "seen": seen,
        "variables": VARIABLES,
        "in_python": agent is not None and agent.code_name in registered_agents(),
    }
    return render(request, "agents/form.html", context, status=status)
