"""The page of connections, and choosing a provider."""

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from integrations_app.providers.registry import Provider, providers
from integrations_app.services.overview import Line, Overview, overview
from integrations_app.types import ChannelType
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.pages import wants_json
from one_project.common.text import clean_line

GROUPS = (
    ("mine", "Mine", "Only you use these, unless you share them."),
    ("teams", "Teams’", "Everybody in the team uses these."),
    ("organisation", "The organisation’s", "Everybody here uses these; admins look after them."),
    ("shared", "Shared with me", "Somebody else’s, which you may use."),
    ("of_others", "People’s own", "You may pause and remove these, not use or read them."),
)


@require_safe
@member_required
def connection_list(request: MemberRequest) -> HttpResponse:
    """Mine, my teams', the organisation's."""
    found = overview(request.user, request.organisation)
    if wants_json(request):
        return JsonResponse({"integrations": [as_json(line) for line in found.lines]})
    return render(request, "connections/list.html", _context(found))


@require_safe
@member_required
def connection_list_live(request: MemberRequest) -> HttpResponse:
    """The list as it is now; 204 while it is the one of ``version``."""
    found = overview(request.user, request.organisation)
    if request.GET.get("version") == found.version:
        return HttpResponse(status=204)
    return render(request, "connections/_list.html", _context(found))


def _context(found: Overview) -> dict[str, Any]:
    groups = [(key, title, about, getattr(found, key)) for key, title, about in GROUPS]
    return {"found": found, "groups": [group for group in groups if group[3]]}


def as_json(line: Line) -> dict[str, Any]:
    """An integration for programs: never its credentials, not even a hint."""
    row = line.row
    return {
        "id": str(row.pk),
        "name": row.name,
        "provider": row.provider,
        "channel_type": row.channel_type,
        "status": row.status,
        "owner": "team" if row.team_id else "person" if row.user_id else "organisation",
        "is_default": row.is_default,
        "priority": row.priority,
        "last_ok_at": row.last_ok_at,
        "last_error": row.last_error,
        "last_error_code": row.last_error_code,
        "sent_in_30_days": line.sent,
        "failed_in_30_days": line.failed,
        "may_edit": line.may_edit,
    }


@require_safe
@member_required
def choose_provider(request: MemberRequest) -> HttpResponse:
    """What can be connected, by channel; ``q`` searches, ``channel`` narrows."""
    query = clean_line(request.GET.get("q"), 100).lower()
    channel = clean_line(request.GET.get("channel"), 20)
    found = [one for one in providers() if not one.is_internal and _fits(one, query, channel)]
    groups = [
        (label, [one for one in found if one.channel_type == value])
        for value, label in ChannelType.choices
    ]
    if wants_json(request):
        return JsonResponse({"providers": [_provider_as_json(one) for one in found]})
    context = {
        "groups": [group for group in groups if group[1]],
        "query": query,
        "channel": channel,
        "channels": [
            (value, label) for value, label in ChannelType.choices if value != ChannelType.IN_APP
        ],
    }
    return render(request, "connections/providers.html", context)


def _fits(one: Provider, query: str, channel: str) -> bool:
    text = f"{one.title} {one.slug} {one.description}".lower()
    return query in text and channel in ("", one.channel_type)


def _provider_as_json(one: Provider) -> dict[str, Any]:
    return {
        "slug": one.slug,
        "title": one.title,
        "description": one.description,
        "channel_type": one.channel_type,
        "settings": one.settings_model.model_json_schema(),
        "credentials": one.credentials_model.model_json_schema(),
    }
