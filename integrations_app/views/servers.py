"""MCP servers: set up, looked at, and what of them agents may use."""

import hashlib
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations_app.access import access_server
from integrations_app.forms.outside import ServerForm
from integrations_app.models import McpServer, RemoteTool
from integrations_app.services.mcp_looks import look_at, look_of
from integrations_app.services.mcp_servers import change_server, create_server
from integrations_app.views.answers import complain, go_to
from integrations_app.views.tools import allow_chosen, remove_owner, switch_owner, tools_context
from one_project.accounts.guards import admin_required, member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError


@sensitive_post_parameters("header_value")
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
@admin_required
def new_server(request: MemberRequest) -> HttpResponse:
    """The form of a server; what is sent is kept, and looked at at once."""
    data = request.POST if request.method == "POST" else None
    form, status = ServerForm(data, membership=request.membership), 200
    if data is not None:
        status = 422
        if form.is_valid():
            try:
                row = create_server(request.organisation, by=request.user, values=form.values())
            except AppError as error:
                status = complain(form, error)
            else:
                notice = "It is kept, and being asked for its tools."
                return go_to(request, reverse("connections:server", args=[row.pk]), notice)
    return render(request, "connections/tools_new_server.html", {"form": form}, status=status)


@sensitive_post_parameters("header_value")
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def server(request: MemberRequest, server_id: UUID) -> HttpResponse:
    """One server with its tools; POST changes how it is reached."""
    row = access_server(request.user, request.organisation, server_id)
    data = request.POST if request.method == "POST" else None
    form, status = ServerForm(data, membership=request.membership, server=row), 200
    if data is not None:
        status = 422
        if form.is_valid():
            try:
                change_server(row, by=request.user, values=form.values())
            except AppError as error:
                status = complain(form, error)
            else:
                return go_to(request, reverse("connections:server", args=[row.pk]), "Saved.")
    context = {"form": form, **_server_context(row)}
    return render(request, "connections/server.html", context, status=status)


@require_safe
@member_required
def server_live(request: MemberRequest, server_id: UUID) -> HttpResponse:
    """Its state and tools again, where they have changed since ``v``; else 204."""
    row = access_server(request.user, request.organisation, server_id)
    context = _server_context(row)
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return render(request, "connections/_server_live.html", context)


def _server_context(row: McpServer) -> dict[str, Any]:
    look = look_of(row)
    tools = RemoteTool.objects.filter(server=row).aggregate(newest=Max("updated_at"))["newest"]
    state = [row.updated_at, tools, look and look.state, row.failures, row.last_ok_at is None]
    return {
        "server": row,
        "owner": row,
        "look": look,
        "version": hashlib.sha256(repr(state).encode()).hexdigest()[:16],
        "allow": reverse("connections:allow_of_server", args=[row.pk]),
        **tools_context(row),
    }


@require_POST
@member_required
def look(request: MemberRequest, server_id: UUID) -> HttpResponse:
    """Ask it for its tools again."""
    row = access_server(request.user, request.organisation, server_id)
    look_at(row, by=request.user)
    return go_to(request, reverse("connections:server", args=[row.pk]))


@require_POST
@member_required
def allow_of_server(request: MemberRequest, server_id: UUID) -> HttpResponse:
    """Allow the tools that were ticked, as they were shown."""
    row = access_server(request.user, request.organisation, server_id)
    return allow_chosen(request, row, reverse("connections:server", args=[row.pk]))


@require_POST
@member_required
def switch_server(request: MemberRequest, server_id: UUID) -> HttpResponse:
    return switch_owner(request, access_server(request.user, request.organisation, server_id))


@require_POST
@member_required
def remove_server(request: MemberRequest, server_id: UUID) -> HttpResponse:
    return remove_owner(request, access_server(request.user, request.organisation, server_id))
