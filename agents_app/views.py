"""The page that shows whom one can talk to."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from agents_app.models import Agent
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest


@require_safe
@member_required
def agent_list(request: MemberRequest) -> HttpResponse:
    """All agents the person may use, by name."""
    agents = Agent.objects.usable_by(request.user, request.organisation).order_by("name")
    return render(request, "agents/list.html", {"agents": agents})
