"""Channels: which way messages go, in order, and when."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from integrations_app.access import is_admin_of
from integrations_app.forms.channels import ChannelForm, RouteForm
from integrations_app.models import Channel, ChannelRoute, Integration
from integrations_app.runtime.condition_words import in_words
from integrations_app.services import channels as service
from integrations_app.views.answers import complain, go_to
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import Team
from one_project.common.errors import AppError, NotFound
from one_project.common.pages import wants_json


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def channels(request: MemberRequest) -> HttpResponse:
    """All channels with their ways; ``POST`` makes one."""
    may_all = is_admin_of(request.user, request.organisation)
    teams = _teams(request, may_all)
    data = request.POST if request.method == "POST" else None
    form = ChannelForm(data, teams=teams, may_all=may_all)
    status = 200
    if data is not None:
        status = 422
        if form.is_valid():
            try:
                row = service.create_channel(
                    request.organisation, by=request.user, **form.cleaned_data
                )
            except AppError as error:
                status = complain(form, error)
            else:
                return go_to(request, _address(row.pk), "The channel is made. Give it a way.")
    rows = (
        Channel.objects.filter(organisation=request.organisation)
        .select_related("team")
        .prefetch_related("routes__integration", "routes__endpoint")
        .order_by("name", "pk")
    )
    if wants_json(request) and request.method != "POST":
        return JsonResponse({"channels": [_as_json(row) for row in rows]})
    context = {
        "lines": [(row, _ways(row)) for row in rows],
        "form": form,
        "may_make": may_all or teams.exists(),
        "may_edit": _editable(request, may_all),
    }
    return render(request, "connections/channels.html", context, status=status)


def _teams(request: MemberRequest, may_all: bool) -> QuerySet[Team]:
    teams = Team.objects.filter(organisation=request.organisation).order_by("name")
    return teams if may_all else teams.filter(team_members__user=request.user)


def _editable(request: MemberRequest, may_all: bool) -> set[UUID]:
    rows = Channel.objects.filter(organisation=request.organisation)
    if not may_all:
        rows = rows.filter(team__team_members__user=request.user)
    return set(rows.values_list("pk", flat=True))


def _ways(row: Channel) -> list[dict[str, Any]]:
    return [
        {"route": route, "when": in_words(route.condition), "always": not route.condition}
        for route in sorted(row.routes.all(), key=lambda one: (one.position, one.pk))
    ]


def _as_json(row: Channel) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "key": row.key,
        "name": row.name,
        "channel_type": row.channel_type,
        "is_active": row.is_active,
        "routes": [
            {
                "integration": str(way["route"].integration_id),
                "endpoint": str(way["route"].endpoint_id) if way["route"].endpoint_id else None,
                "condition": way["route"].condition,
            }
            for way in _ways(row)
        ],
    }


def _address(channel_id: UUID) -> str:
    return reverse("connections:channel", args=[channel_id])


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def channel(request: MemberRequest, channel_id: UUID) -> HttpResponse:
    """One channel; ``POST`` changes its name and whether it is on."""
    if request.method != "POST":
        return _page(request, _visible(request, channel_id))
    row = service.access_channel_to_edit(request.user, request.organisation, channel_id)
    service.change_channel(
        row,
        by=request.user,
        name=request.POST.get("name", ""),
        is_active=bool(request.POST.get("is_active")),
    )
    return go_to(request, _address(row.pk), "Saved.")


def _visible(request: MemberRequest, channel_id: UUID) -> Channel:
    rows = Channel.objects.filter(organisation=request.organisation, pk=channel_id)
    found = rows.select_related("team").first()
    if found is None:
        raise NotFound
    return found


def _page(
    request: MemberRequest, row: Channel, form: RouteForm | None = None, status: int = 200
) -> HttpResponse:
    routes = ChannelRoute.objects.filter(channel=row).select_related("integration", "endpoint")
    row_ways = [
        {"route": route, "when": in_words(route.condition), "always": not route.condition}
        for route in routes.order_by("position", "pk")
    ]
    may_edit = row.pk in _editable(request, is_admin_of(request.user, request.organisation))
    usable = Integration.objects.usable_by(request.user, request.organisation)
    if may_edit and form is None:
        form = RouteForm(channel=row, usable=usable)
    context = {"channel": row, "ways": row_ways, "form": form, "may_edit": may_edit}
    return render(request, "connections/channel.html", context, status=status)


@require_POST
@member_required
def remove_channel(request: MemberRequest, channel_id: UUID) -> HttpResponse:
    """Remove it with its ways."""
    row = service.access_channel_to_edit(request.user, request.organisation, channel_id)
    service.delete_channel(row, by=request.user)
    return go_to(request, reverse("connections:channels"), f"“{row.name}” is removed.")


@require_POST
@member_required
def add_route(request: MemberRequest, channel_id: UUID) -> HttpResponse:
    """One more way, after the others."""
    row = service.access_channel_to_edit(request.user, request.organisation, channel_id)
    usable = Integration.objects.usable_by(request.user, request.organisation)
    form = RouteForm(request.POST, channel=row, usable=usable)
    status = 422
    if form.is_valid():
        chosen = form.cleaned_data
        try:
            service.add_route(
                row,
                by=request.user,
                integration_id=chosen["integration"].pk if chosen["integration"] else None,
                endpoint_id=chosen["endpoint"].pk if chosen["endpoint"] else None,
                condition=chosen["condition"],
            )
        except NotFound:
            form.add_error("integration", "Please choose what it goes through.")
        except AppError as error:
            status = complain(form, error)
        else:
            return go_to(request, _address(row.pk), "The way is added.")
    return _page(request, row, form, status)


@require_POST
@member_required
def change_route(request: MemberRequest, channel_id: UUID) -> HttpResponse:
    """``do``: up, down or remove, with ``route``."""
    row = service.access_channel_to_edit(request.user, request.organisation, channel_id)
    what, route_id = request.POST.get("do"), request.POST.get("route")
    if what == "remove":
        service.remove_route(row, by=request.user, route_id=route_id)
    elif what in ("up", "down"):
        service.move_route(row, by=request.user, route_id=route_id, up=what == "up")
    return go_to(request, _address(row.pk))
