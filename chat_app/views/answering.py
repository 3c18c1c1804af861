"""Who answers in a thread, and which tools are used there without asking."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from agents_app.access import access_agent
from agents_app.models import Agent, ToolAllowance
from agents_app.services.approvals import forbid_again
from chat_app.access import access_thread
from chat_app.models import Routing, Thread
from chat_app.services.routing_setting import set_routing
from chat_app.views.answers import go_to, go_to_thread, is_htmx
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.text import clean_line


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
@member_required
def answering(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """GET gives the form (a dialog's content, or a page); POST sets who answers."""
    thread = access_thread(request.user, thread_id)
    if request.method != "POST":
        return _form(request, thread)
    agent = None
    if wanted := clean_line(request.POST.get("agent"), 64):
        agent = access_agent(request.user, request.organisation, wanted)
    routing = clean_line(request.POST.get("routing"), 16)
    thread = set_routing(thread, user=request.user, routing=routing, agent=agent)
    if is_htmx(request):
        return render(request, "chat/_title.html", {"thread": thread})
    return go_to_thread(request, thread)


@require_POST
@member_required
def ask_again(request: MemberRequest, thread_id: UUID) -> HttpResponse:
    """Take "always allow here" back for ``tool``."""
    thread = access_thread(request.user, thread_id)
    name = clean_line(request.POST.get("tool"), 64)
    forbid_again(thread.pk, by=request.user, tool_name=name)
    if is_htmx(request):
        return _form(request, thread)
    return go_to(request, f"/chat/{thread.pk}/answering/")


def _form(request: MemberRequest, thread: Thread) -> HttpResponse:
    usable = Agent.objects.usable_by(request.user, request.organisation)
    allowed = ToolAllowance.objects.filter(thread_id=thread.pk, user=request.user)
    context = {
        "thread": thread,
        "agents": usable.order_by("created_at"),
        "ways": [
            (Routing.ASSIGNED, "The thread’s agent", "Always the one chosen below."),
            (Routing.ROUTER, "A router chooses", "A small model reads each message and decides."),
            (
                Routing.SIMILARITY,
                "Nearest description",
                "The agent whose description is closest to the message.",
            ),
        ],
        "allowed": allowed.order_by("tool_name"),
    }
    name = "chat/_answering.html" if is_htmx(request) else "chat/answering.html"
    return render(request, name, context)
