"""The page of one flow: its funnel, what holds people up, and what is assigned."""

from hashlib import sha256
from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from flows_app.access import access_flow
from flows_app.models import Flow
from flows_app.runtime.funnel import Funnel, FunnelStep
from flows_app.services.funnel import funnel_of
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.pages import wants_json


@require_safe
@vary_on_headers("Accept")
@member_required
def flow_page(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """For staff: the page, or the same as JSON."""
    flow = access_flow(request.user, request.organisation, flow_id)
    funnel = funnel_of(flow)
    if wants_json(request):
        return JsonResponse(_as_json(flow, funnel))
    return render(request, "flows/flow.html", _context(flow, funnel))


@require_safe
@member_required
def funnel_live(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """The part of the page that changes; 204 while it is what the page shows already."""
    flow = access_flow(request.user, request.organisation, flow_id)
    context = _context(flow, funnel_of(flow))
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return render(request, "flows/_funnel.html", context)


def _context(flow: Flow, funnel: Funnel) -> dict[str, Any]:
    shown = [
        [(step.step.pk, step.people, step.bars, step.on_it, step.after) for step in funnel.steps],
        [(state.pk, state.version) for state in funnel.blocked],
        [(week.begins, week.completed) for week in funnel.weeks],
        [(lesson.pk, lesson.withdrawn_at) for lesson in funnel.lessons],
        (funnel.people, funnel.in_queue, funnel.complete, funnel.overdue, funnel.percent),
        (flow.updated_at, flow.draft_id),
    ]
    version = sha256(repr(shown).encode()).hexdigest()[:16]
    return {"flow": flow, "funnel": funnel, "version": version}


def _as_json(flow: Flow, funnel: Funnel) -> dict[str, Any]:
    return {
        "id": str(flow.pk),
        "name": flow.name,
        "published_revision": flow.published.number if flow.published else None,
        "people": funnel.people,
        "in_queue": funnel.in_queue,
        "complete": funnel.complete,
        "under_way": funnel.under_way,
        "not_begun": funnel.not_begun,
        "overdue": funnel.overdue,
        "percent": funnel.percent,
        "steps": [_step_as_json(step) for step in funnel.steps],
    }


def _step_as_json(step: FunnelStep) -> dict[str, Any]:
    """Medians in seconds, None where nobody has completed the step."""
    return {
        "key": str(step.step.key),
        "name": step.step.name,
        "people": step.people,
        "reached": step.reached,
        "in_progress": step.in_progress,
        "completed": step.completed,
        "blocked": step.blocked,
        "skipped": step.skipped,
        "median_seconds": step.on_it.total_seconds() if step.on_it is not None else None,
        "median_seconds_after_assignment": (
            step.after.total_seconds() if step.after is not None else None
        ),
    }
