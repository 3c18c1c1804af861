"""My work: what the person has to do, what they may take, and what they have done."""

from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from flows_app.models import LessonTarget, Status
from flows_app.services.live_roles import catch_up_lessons
from flows_app.services.my_work import MyWork, WorkFilter, my_work
from flows_app.services.person_work import timeline_of
from flows_app.services.work_lines import WorkLine
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.pages import wants_json
from one_project.common.text import clean_line

STATUSES = [
    *((status.value, str(status.label)) for status in Status),
    ("waiting", "Waiting for review"),
    ("take", "To take"),
]
DUES = [("overdue", "Overdue"), ("soon", "In the next 7 days"), ("none", "Without a date")]
# Figures above the list, each a filter: (count, its name, the query).
CHIPS = (
    ("overdue", "Overdue", {"due": "overdue"}),
    ("soon", "Due soon", {"due": "soon"}),
    ("blocked", "Blocked", {"status": "Blocked"}),
    ("waiting", "Waiting for review", {"status": "waiting"}),
    ("progress", "In progress", {"status": "In Progress"}),
    ("new", "Not begun", {"status": "Not Started"}),
    ("take", "To take", {"status": "take"}),
    ("done", "Done", {"status": "Completed"}),
)


@require_safe
@vary_on_headers("Accept", "HX-Request")
@member_required
def mine(request: MemberRequest) -> HttpResponse:
    """The page, or the same as JSON. ``q``, ``status`` and ``due`` narrow it."""
    asked = asked_filter(request)
    # Who has just joined a role or a team finds its work without waiting for the clock.
    catch_up_lessons(request.organisation.pk, request.user.pk)
    work = my_work(request.user, request.organisation, asked)
    if wants_json(request):
        return JsonResponse(_as_json(work))
    context = _context(work, asked) | {"statuses": STATUSES, "dues": DUES}
    return render(request, "lessons/mine.html", context)


@require_safe
@member_required
def live(request: MemberRequest) -> HttpResponse:
    """The part of the page that changes; 204 while it is what the page shows already."""
    asked = asked_filter(request)
    context = _context(my_work(request.user, request.organisation, asked), asked)
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return render(request, "lessons/_mine.html", context)


@require_safe
@member_required
def history(request: MemberRequest) -> HttpResponse:
    """What happened to the person's own work, newest first; ``cursor`` goes on."""
    cursor = request.GET.get("cursor", "")
    timeline = timeline_of(request.organisation, request.user, cursor)
    return render(request, "lessons/mine_history.html", {"timeline": timeline, "cursor": cursor})


def asked_filter(request: MemberRequest) -> WorkFilter:
    """What is none of the choices counts as not asked for."""
    status, due = request.GET.get("status", ""), request.GET.get("due", "")
    return WorkFilter(
        text=clean_line(request.GET.get("q", ""), 100),
        status=status if status in dict(STATUSES) else "",
        due=due if due in dict(DUES) else "",
    )


def _context(work: MyWork, asked: WorkFilter) -> dict[str, Any]:
    shown = [version_of(line) for line in (*work.lines, *work.agents)]
    queue = [str(target.pk) for target in work.to_take]
    version = sha256(repr((shown, queue, work.counts)).encode()).hexdigest()[:16]
    query = {
        name: value
        for name, value in (("q", asked.text), ("status", asked.status), ("due", asked.due))
        if value
    }
    return {
        "work": work,
        "asked": asked,
        "chips": [
            (key, name, work.counts[key], urlencode(query_of), _is_on(asked, query_of))
            for key, name, query_of in CHIPS
            if work.counts[key] or _is_on(asked, query_of)
        ],
        "version": version,
        "live_query": urlencode({**query, "v": version}),
    }


def _is_on(asked: WorkFilter, query: dict[str, str]) -> bool:
    return {"status": asked.status, "due": asked.due} == {"status": "", "due": "", **query}


def version_of(line: WorkLine) -> tuple[object, ...]:
    """All that a page shows of a line: what does not differ need not be sent again."""
    return (
        str(line.target.pk),
        line.section,
        line.status,
        line.share,
        line.next_step and line.next_step.key,
        str(line.due_at),
        line.blocked,
        line.waiting,
        line.sent_back,
        line.locked,
        str(line.target.user_id),
    )


def _as_json(work: MyWork) -> dict[str, Any]:
    return {
        "lessons": [line_as_json(line) for line in work.lines],
        "agents": [line_as_json(line) for line in work.agents],
        "to_take": [_queued_as_json(target) for target in work.to_take],
        "counts": work.counts,
    }


def line_as_json(line: WorkLine) -> dict[str, Any]:
    """One assignment, for programs."""
    step = line.next_step
    return {
        "id": str(line.target.pk),
        "flow": {"id": str(line.target.flow_id), "name": line.target.flow.name},
        "course": line.course_name or None,
        "assignee": line.target.assignee_name,
        "status": line.status,
        "percent": line.share.percent,
        "done": line.share.done,
        "total": line.share.total,
        "due_at": line.due_at.isoformat() if line.due_at else None,
        "is_overdue": line.is_overdue,
        "next_step": {"key": str(step.key), "name": step.name} if step else None,
        "blocked": [{"step": name, "reason": reason} for name, reason in line.blocked],
        "waiting": list(line.waiting),
        "locked": line.locked or None,
    }


def _queued_as_json(target: LessonTarget) -> dict[str, Any]:
    return {
        "id": str(target.pk),
        "flow": {"id": str(target.flow_id), "name": target.flow.name},
        "due_at": target.due_at.isoformat() if target.due_at else None,
    }
