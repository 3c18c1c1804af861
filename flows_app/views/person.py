"""The page of one person or one agent, for staff: all their work, and what happened to it."""

from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.models import Agent
from flows_app.access import access_person, access_worker
from flows_app.services.person_work import PersonWork, Timeline, timeline_of, work_of
from flows_app.views.mine import line_as_json, version_of
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import User
from one_project.common.pages import wants_json


@require_safe
@vary_on_headers("Accept")
@member_required
def person_page(request: MemberRequest, user_id: UUID) -> HttpResponse:
    """Somebody of the organisation, also who has left it; ``cursor`` shows older history."""
    membership = access_person(request.user, request.organisation, user_id)
    address = reverse("flows:person_live", args=[user_id])
    return _page(request, membership.user, address, {"membership": membership})


@require_safe
@member_required
def person_live(request: MemberRequest, user_id: UUID) -> HttpResponse:
    """The part of the page that changes; 204 while it is what the page shows already."""
    membership = access_person(request.user, request.organisation, user_id)
    return _live(request, membership.user, reverse("flows:person_live", args=[user_id]))


@require_safe
@vary_on_headers("Accept")
@member_required
def agent_page(request: MemberRequest, agent_id: UUID) -> HttpResponse:
    """As ``person_page``, of an agent."""
    agent = access_worker(request.user, request.organisation, agent_id)
    address = reverse("flows:agent_live", args=[agent_id])
    return _page(request, agent, address, {"agent": agent})


@require_safe
@member_required
def agent_live(request: MemberRequest, agent_id: UUID) -> HttpResponse:
    """As ``person_live``, of an agent."""
    agent = access_worker(request.user, request.organisation, agent_id)
    return _live(request, agent, reverse("flows:agent_live", args=[agent_id]))


def _page(
    request: MemberRequest, who: User | Agent, live_url: str, more: dict[str, Any]
) -> HttpResponse:
    context = _context(request, who, live_url)
    if wants_json(request):
        work: PersonWork = context["work"]
        return JsonResponse(
            {
                "id": str(who.pk),
                "name": context["name"],
                "percent": work.percent,
                "counts": work.counts,
                "lessons": [line_as_json(line) for line in work.lines],
            }
        )
    return render(request, "flows/person.html", context | more)


def _live(request: MemberRequest, who: User | Agent, live_url: str) -> HttpResponse:
    context = _context(request, who, live_url)
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return render(request, "flows/_person.html", context)


def _context(request: MemberRequest, who: User | Agent, live_url: str) -> dict[str, Any]:
    cursor = request.GET.get("cursor", "")
    work = work_of(request.organisation, who)
    timeline = timeline_of(request.organisation, who, cursor)
    version = _version(work, timeline)
    query = {"cursor": cursor, "v": version} if cursor else {"v": version}
    return {
        "who": who,
        "name": who.display_name if isinstance(who, User) else who.name,
        "work": work,
        "timeline": timeline,
        "cursor": cursor,
        "version": version,
        "live_url": f"{live_url}?{urlencode(query)}",
    }


def _version(work: PersonWork, timeline: Timeline) -> str:
    shown = (
        [version_of(line) for line in work.lines],
        [(comment.pk, comment.updated_at) for comment in work.comments],
        [entry.pk for entry in timeline.entries],
    )
    return sha256(repr(shown).encode()).hexdigest()[:16]
