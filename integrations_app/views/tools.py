"""Outside tools: which there are, and what servers and interfaces have in common."""

import json
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from integrations_app.access import access_remote_tool
from integrations_app.models import HttpApi, McpServer, RemoteTool
from integrations_app.services.outside import remove, switch
from integrations_app.services.remote_tools import (
    EFFECTS,
    Owner,
    approve_all,
    differences,
    effect_of,
    tool_name,
    withdraw,
)
from integrations_app.views.answers import go_to
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import InvalidInput

LISTED: Final = 100
MAX_CHOSEN: Final = 500


@require_safe
@member_required
def tools(request: MemberRequest) -> HttpResponse:
    """Everybody sees which there are; admins set them up."""
    house = {"organisation": request.organisation}
    context = {
        "servers": McpServer.objects.filter(**house).order_by("name")[:LISTED],
        "apis": HttpApi.objects.filter(**house).order_by("name")[:LISTED],
        "may_edit": request.membership.is_admin,
    }
    return render(request, "connections/tools.html", context)


@require_POST
@member_required
def withdraw_tool(request: MemberRequest, remote_id: UUID) -> HttpResponse:
    """No agent uses it any more, until it is allowed again."""
    tool = access_remote_tool(request.user, request.organisation, remote_id)
    withdraw(tool, by=request.user)
    return go_to(request, page_of(tool.server or tool.api), f"“{tool.name}” is not used any more.")


def tools_context(owner: Owner) -> dict[str, Any]:
    """What of its tools may be used, what waits for a look, and what is gone."""
    name = "server" if isinstance(owner, McpServer) else "api"
    rows = RemoteTool.objects.filter(**{name: owner}).select_related("server", "api", "approved_by")
    lines = [
        {
            "row": row,
            "name": row.meta.get("tool") or tool_name(row),
            "effect": effect_of(row),
            "effect_label": EFFECTS.get(effect_of(row), effect_of(row)),
            "problem": row.meta.get("problem", ""),
            "parameters_text": json.dumps(row.parameters, indent=2, ensure_ascii=False),
            "differences": differences(row),
            "is_changed": bool(row.approved_as) and not row.is_approved,
        }
        for row in rows.order_by("name")[:MAX_CHOSEN]
    ]
    there = [line for line in lines if line["row"].gone_at is None]
    return {
        "approved": [line for line in there if line["row"].is_approved],
        "waiting": [line for line in there if not line["row"].is_approved],
        "gone": [line for line in lines if line["row"].gone_at is not None],
        "effects": list(EFFECTS.items()),
    }


def allow_chosen(request: MemberRequest, owner: Owner, page: str) -> HttpResponse:
    chosen = []
    for one in request.POST.getlist("tool")[:MAX_CHOSEN]:
        remote_id, _, seen = one.partition(":")
        tool = access_remote_tool(request.user, request.organisation, remote_id)
        if owner.pk not in (tool.server_id, tool.api_id):
            raise InvalidInput("This tool belongs elsewhere.")
        chosen.append((tool, seen, request.POST.get(f"effect-{remote_id}", "")))
    if not chosen:
        raise InvalidInput("Please tick what agents may use.")
    count = approve_all(chosen, by=request.user)
    return go_to(request, page, f"Allowed: {count}. Agents can be given them now.")


def switch_owner(request: MemberRequest, row: Owner) -> HttpResponse:
    """``active`` "1" lets it be used again, anything else pauses it."""
    is_active = request.POST.get("active") == "1"
    switch(row, by=request.user, is_active=is_active)
    return go_to(request, page_of(row), "In use again." if is_active else "Paused.")


def remove_owner(request: MemberRequest, row: Owner) -> HttpResponse:
    remove(row, by=request.user)
    return go_to(request, reverse("connections:tools"), f"Removed “{row.name}” with its tools.")


def page_of(owner: Owner | None) -> str:
    if isinstance(owner, McpServer):
        return reverse("connections:server", args=[owner.pk])
    assert owner is not None
    return reverse("connections:api", args=[owner.pk])
