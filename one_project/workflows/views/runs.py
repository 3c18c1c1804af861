"""One run: its page, and the parts of it that have changed since."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError
from one_project.common.ids import new_id
from one_project.workflows.access import access_run, may_manage
from one_project.workflows.forms import PostedEvent, asked_cursor
from one_project.workflows.models import WorkflowRun
from one_project.workflows.services.reading import (
    StepEntry,
    StepPage,
    awaited_events,
    list_events,
    list_steps,
    step_count,
    step_states,
)
from one_project.workflows.views.timeline import draw
from one_project.workflows.views.version import Version, read_version, version_of

STEPS = 100
LONGEST = 4000  # characters of arguments or a result that a page shows
ENDED = 286  # tells htmx to stop asking


@require_safe
@member_required
def run_page(request: MemberRequest, run_id: UUID) -> HttpResponse:
    """The run as a timeline, with its steps and events; for staff with what can be done to it."""
    return show_run(request, access_run(request.user, run_id))


def show_run(
    request: MemberRequest,
    run: WorkflowRun,
    *,
    error: AppError | None = None,
    event: PostedEvent | None = None,
) -> HttpResponse:
    """The page; with an error, what was typed is still in the form."""
    cursor, newest = asked_cursor(request), _newest_first(request)
    page = list_steps(run, cursor, page_size=STEPS, newest_first=newest, shorten_to=LONGEST + 1)
    context = _context(request, run, _version(run, page))
    context |= {
        "page": page,
        "error": error,
        "event": event or PostedEvent(key=str(new_id())),
        "events": list_events(run),
        "awaited": awaited_events(run),
        "total": step_count(run),
        "timeline": draw(run, page.page, timezone.now()),
    }
    status = error.status if error else 200
    return render(request, "workflows/run.html", context, status=status)


@require_safe
@member_required
def live_run(request: MemberRequest, run_id: UUID) -> HttpResponse:
    """What has changed since the version ``v``, part by part; 204 for nothing, 286 for the end.

    Only what differs is swapped: what a person has opened, typed or focused stays.
    """
    run = access_run(request.user, run_id)
    cursor, newest = asked_cursor(request), _newest_first(request)
    known = read_version(request.GET.get("v", ""))
    if known is None:
        return HttpResponseClientRefresh()
    states = step_states(run, cursor, page_size=STEPS, newest_first=newest)
    if str(known) == str(version_of(run, states)):
        return HttpResponse(status=204 if run.is_open else ENDED)
    page = list_steps(run, cursor, page_size=STEPS, newest_first=newest, shorten_to=LONGEST + 1)
    # Of what is shown and not of what was seen a moment before: no step comes twice.
    version = _version(run, page)
    context = _context(request, run, version)
    context |= {
        "page": page,
        "head_changed": known.head != version.head,
        "removed": [n for n in known.rows if n not in version.rows],
        # With the end of the run each of its steps can be restarted from.
        "changed": [
            entry
            for entry in page.page
            if _is_changed(entry, known, version)
            or (not run.is_open and entry.step.n in known.rows)
        ],
        "added": _added(page.page, known),
        "awaited": awaited_events(run),
        "events": list_events(run) if known.events != version.events else None,
        "total": step_count(run),
        "timeline": draw(run, page.page, timezone.now()),
    }
    status = 200 if run.is_open else ENDED
    return render(request, "workflows/live.html", context, status=status)


def _version(run: WorkflowRun, page: StepPage) -> Version:
    steps = [entry.step for entry in page.page]
    return version_of(run, [(step.n or 0, step.status, step.attempt) for step in steps])


def _context(request: MemberRequest, run: WorkflowRun, version: Version) -> dict[str, Any]:
    query = request.GET.copy()
    for name in set(query) - {"cursor", "newest"}:
        query.pop(name)
    query["v"] = str(version)
    return {
        "run": run,
        "manages": may_manage(request.user, run),
        "newest": _newest_first(request),
        "live_query": query.urlencode(),
        "cursor": request.GET.get("cursor", ""),
    }


def _newest_first(request: MemberRequest) -> bool:
    return request.GET.get("newest") == "1"


def _is_changed(entry: StepEntry, known: Version, version: Version) -> bool:
    n = entry.step.n or 0
    return n in known.rows and known.rows[n] != version.rows.get(n)


def _added(entries: list[StepEntry], known: Version) -> list[tuple[int | None, StepEntry]]:
    """The steps that are new on the page, each with the number of the one it comes after."""
    added = []
    before: int | None = None
    for entry in entries:
        if entry.step.n not in known.rows:
            added.append((before, entry))
        before = entry.step.n
    return added
