"""The list of runs, its live part, and the report of the pools."""

from hashlib import sha256
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AccessDenied, InvalidInput
from one_project.workflows.access import manages_runs, visible_runs
from one_project.workflows.forms import TIMES, RunFilter, asked_cursor, asked_filter
from one_project.workflows.models import RunStatus
from one_project.workflows.models.runs import WorkflowRunQuerySet
from one_project.workflows.services.pools import PoolReport, report
from one_project.workflows.services.reading import (
    COUNT_LIMIT,
    RunPage,
    count_by_state,
    list_runs,
    names_in_use,
    throughput,
)

PAGE = 50
INSTALLATION = "installation"


@require_safe
@member_required
def run_list(request: MemberRequest) -> HttpResponse:
    """The page: filters, counts, runs; for staff the pools, too."""
    asked = asked_filter(request)
    runs = _runs(request, asked)
    error = None
    try:
        context = _live(request, runs, asked)
    except InvalidInput as wrong:
        error, context = wrong, {"page": RunPage([], is_done=True, continue_cursor=None)}
    staff = manages_runs(request.membership)
    names = names_in_use(runs)
    context |= {
        "asked": asked,
        "error": error,
        "names": sorted({*names, asked.name} - {""}),
        "states": RunStatus.values,
        "times": [(value, label) for value, (label, _) in TIMES.items()],
        "staff": staff,
        "pools": _report(request) if staff else None,
    }
    return render(request, "workflows/list.html", context, status=error.status if error else 200)


@require_safe
@member_required
def live_list(request: MemberRequest) -> HttpResponse:
    """The part of the list that changes; 204 while it is what the page shows already."""
    asked = asked_filter(request)
    context = _live(request, _runs(request, asked), asked)
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    context |= {"asked": asked, "staff": manages_runs(request.membership)}
    return render(request, "workflows/_runs.html", context)


@require_safe
@member_required
def pools(request: MemberRequest) -> HttpResponse:
    """What the pools did in the last minute, as a fragment."""
    if not manages_runs(request.membership):
        raise AccessDenied
    return render(request, "workflows/_pools.html", {"pools": _report(request)})


def _report(request: MemberRequest) -> list[PoolReport]:
    """Of the organisation's own work: what others do is theirs alone."""
    return report(organisation=request.organisation)


def _runs(request: MemberRequest, asked: RunFilter) -> WorkflowRunQuerySet:
    return visible_runs(request.user, None if asked.whose == INSTALLATION else request.organisation)


def _live(request: MemberRequest, runs: WorkflowRunQuerySet, asked: RunFilter) -> dict[str, Any]:
    page = list_runs(
        runs,
        name=asked.name,
        state=asked.state,
        since=asked.since,
        cursor=asked_cursor(request),
        page_size=PAGE,
    )
    counts = [(state, number, _capped(number)) for state, number in count_by_state(runs).items()]
    ended = throughput(runs)
    shown = [(str(run.pk), run.status) for run in page.page]
    version = sha256(repr((shown, counts, ended, page.is_done)).encode()).hexdigest()[:16]
    # What the page asks for every two seconds is what it was asked for itself.
    query = request.GET.copy()
    query.pop("v", None)
    live_query = query.copy()
    live_query["v"] = version
    query.pop("cursor", None)
    return {
        "page": page,
        "counts": counts,
        "throughput": _capped(ended),
        "version": version,
        "live_query": live_query.urlencode(),
        "query": query.urlencode(),
        "is_first": not request.GET.get("cursor"),
    }


def _capped(number: int) -> str:
    return f"{COUNT_LIMIT}+" if number > COUNT_LIMIT else str(number)
