"""Flows: the list, a new one, a copy, put away and brought back; the whole as a learner sees it."""

from typing import Final
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.views.answers import LISTED, go_to
from chat_app.access import is_staff_of
from flows_app.access import access_flow, require_staff
from flows_app.conf import NAME_LIMIT
from flows_app.errors import FlowNotFound
from flows_app.models import Flow, FlowRevision
from flows_app.runtime.rules import completion_rule
from flows_app.services.copying import duplicate_flow
from flows_app.services.flow_list import ARCHIVED, DRAFT, PUBLISHED, figures_of, list_flows
from flows_app.services.flows import archive_flow, create_flow
from flows_app.services.reading import steps_of_revision
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import InvalidInput
from one_project.common.pages import wants_json
from one_project.common.text import clean_line, clean_text

SHOWN: Final = [
    ("", "All but archived"),
    (PUBLISHED, "Published"),
    (DRAFT, "With a draft"),
    (ARCHIVED, "Archived"),
]


@require_safe
@vary_on_headers("Accept", "HX-Request")
@member_required
def flow_list(request: MemberRequest) -> HttpResponse:
    """The organisation's flows, for staff; others are led to their own work. JSON where asked."""
    if not is_staff_of(request.user, request.organisation):
        return redirect("lessons:mine")
    query = clean_line(request.GET.get("q"), 100)
    show = clean_line(request.GET.get("show"), 20)
    found = list(list_flows(request.organisation, show=show, query=query)[: LISTED + 1])
    flows, figures = found[:LISTED], figures_of(found[:LISTED])
    if wants_json(request):
        rows = [
            {
                "id": str(flow.pk),
                "name": flow.name,
                "state": _state(flow),
                "revision": flow.published.number if flow.published else None,
                "has_draft": flow.draft_id is not None,
                "people": figures[flow.pk].people if flow.pk in figures else 0,
                "percent": figures[flow.pk].percent if flow.pk in figures else None,
                "updated_at": flow.updated_at.isoformat(),
            }
            for flow in flows
        ]
        return JsonResponse({"flows": rows, "more": len(found) > LISTED})
    context = {
        "flows": flows,
        "figures": figures,
        "more": len(found) > LISTED,
        "query": query,
        "show": show,
        "shown": SHOWN,
    }
    return render(request, "flows/list.html", context)


def _state(flow: Flow) -> str:
    if flow.archived_at is not None:
        return ARCHIVED
    return PUBLISHED if flow.published_id is not None else DRAFT


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def new_flow(request: MemberRequest) -> HttpResponse:
    """GET asks for a name; POST makes the flow and goes on to its steps."""
    require_staff(request.user, request.organisation)
    name = clean_text(request.POST.get("name", ""))
    description = clean_text(request.POST.get("description", ""))
    context = {"name": name, "description": description, "limit": NAME_LIMIT}
    if request.method != "POST":
        return render(request, "flows/new.html", context)
    try:
        flow = create_flow(
            request.organisation, by=request.user, name=name, description=description
        )
    except InvalidInput as error:
        context["problem"] = error.user_message
        return render(request, "flows/new.html", context, status=error.status)
    return go_to(request, reverse("flows:edit", args=[flow.pk]))


@require_safe
@member_required
def preview_flow(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """All steps as a learner sees them: of the draft, or of the revision with this ``number``."""
    flow = access_flow(request.user, request.organisation, flow_id)
    revision = asked_revision(request, flow)
    steps = [(step, completion_rule(step)) for step in steps_of_revision(revision.pk)]
    names = {step.key: step.name for step, _ in steps}
    context = {"flow": flow, "revision": revision, "steps": steps, "names": names}
    return render(request, "flows/preview.html", context)


def asked_revision(request: MemberRequest, flow: Flow) -> FlowRevision:
    """The one with the number in ``revision``; without, the draft, else what is published."""
    number = request.GET.get("revision", "")
    if number:
        # isdecimal also knows other scripts' digits, which int() reads.
        wanted = int(number) if number.isdecimal() and len(number) < 9 else 0
        found = flow.revisions.filter(number=wanted).first()
    else:
        found = flow.draft or flow.published
    if found is None:
        raise FlowNotFound
    return found


@require_POST
@member_required
def duplicate(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """A draft of its own with the same steps."""
    flow = access_flow(request.user, request.organisation, flow_id)
    copy = duplicate_flow(flow, by=request.user)
    notice = f"This is a copy of “{flow.name}”. Change what you like."
    return go_to(request, reverse("flows:edit", args=[copy.pk]), notice)


@require_POST
@member_required
def archive(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """Put the flow away: nothing new is assigned, what runs goes on. Can be taken back."""
    flow = access_flow(request.user, request.organisation, flow_id)
    archive_flow(flow, by=request.user)
    undo = reverse("flows:restore", args=[flow.pk])
    return go_to(request, reverse("flows:list"), f"“{flow.name}” is archived.", undo)


@require_POST
@member_required
def restore(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """Bring an archived flow back."""
    flow = access_flow(request.user, request.organisation, flow_id)
    archive_flow(flow, by=request.user, archived=False)
    return go_to(request, reverse("flows:list"), f"“{flow.name}” is back.")
