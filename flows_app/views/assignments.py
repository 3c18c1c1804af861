"""Assignments: the list, one of them, and what staff do with it."""

from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents_app.views.answers import complain, go_to
from flows_app.access import access_lesson, access_target, require_staff
from flows_app.conf import MAX_NOTES
from flows_app.errors import LessonNotFound
from flows_app.forms.changing_hands import DatesForm
from flows_app.models import Course, Flow, Lesson, LessonTarget
from flows_app.runtime.actors import Actor
from flows_app.runtime.dates import day_of, start_of_day
from flows_app.services.assignment_list import (
    SORTS,
    STATES,
    AssignmentFilter,
    lines_of_lessons,
    list_assignments,
)
from flows_app.services.crediting import credit_prior
from flows_app.services.due_dates import change_due
from flows_app.services.ending import withdraw_lesson
from flows_app.services.reading import shares_of
from flows_app.services.reassigning import restart
from flows_app.services.resending import resend_notice
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError
from one_project.common.ids import parse_id
from one_project.common.text import clean_line, clean_text

# Targets a page shows; the others are on the next.
TARGETS = 100
MAX_PAGE = 10_000
_RANGES = ("due_from", "due_to", "follow_from", "follow_to")
COLUMNS = (("assigned", "Assigned"), ("due", "Due"), ("follow_up", "Follow-up"))


@require_safe
@member_required
def assignments(request: MemberRequest) -> HttpResponse:
    """Staff's list; a page follows live what happens, 204 while it is what is shown."""
    require_staff(request.user, request.organisation)
    page = list_assignments(
        request.organisation, _asked(request), by=request.user, page=_number(request)
    )
    shown = [(str(one.lesson.pk), one.lesson.updated_at, one) for one in page.lines]
    version = sha256(repr([(*one[:2], *_facts(one[2])) for one in shown]).encode()).hexdigest()[:16]
    if request.GET.get("v") == version:
        return HttpResponse(status=204)
    asked = _asked(request)
    query = request.GET.copy()
    for name in ("v", "page"):
        query.pop(name, None)
    context = {
        "page": page,
        "asked": asked,
        "version": version,
        "query": query.urlencode(),
        "columns": [(name, label, *_sorting(query, asked.sort, name)) for name, label in COLUMNS],
        "typed": {name: clean_line(request.GET.get(name), 40) for name in _RANGES},
    }
    if "v" in request.GET:
        return render(request, "flows/assignments_live.html", context)
    context["flows"] = Flow.objects.filter(organisation=request.organisation).order_by("name")
    context["courses"] = Course.objects.filter(organisation=request.organisation).order_by("name")
    return render(request, "flows/assignments.html", context)


@require_safe
@member_required
def assignment(request: MemberRequest, lesson_id: UUID) -> HttpResponse:
    """One assignment: who has it, how far they are, and what can be done about it."""
    lesson = access_lesson(request.user, request.organisation, lesson_id)
    return _page(request, lesson)


@require_POST
@member_required
def withdraw(request: MemberRequest, lesson_id: UUID) -> HttpResponse:
    """Take it back from everybody."""
    lesson = access_lesson(request.user, request.organisation, lesson_id)
    reason = clean_text(request.POST.get("reason", ""))[:MAX_NOTES]
    ended = withdraw_lesson(lesson, by=Actor(user=request.user), reason=reason)
    return go_to(request, _address(lesson), f"Withdrawn from {_people(ended)}.")


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def dates(request: MemberRequest, lesson_id: UUID) -> HttpResponse:
    """Change when it is due and looked at again, for everybody or for one (``target``)."""
    lesson = access_lesson(request.user, request.organisation, lesson_id)
    wanted = parse_id(request.GET.get("target") or request.POST.get("target"))
    target = access_target(request.user, request.organisation, wanted) if wanted else None
    if target is not None and target.lesson_id != lesson.pk:
        raise LessonNotFound
    typed = request.POST if request.method == "POST" else None
    form = DatesForm(typed, initial=_dates(lesson, target))
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                changed = change_due(
                    lesson,
                    by=Actor(user=request.user),
                    timezone=form.cleaned_data["timezone"],
                    reason=form.cleaned_data["reason"],
                    targets=None if target is None else [target],
                    **form.moments(),
                )
                return go_to(request, _address(lesson), f"Dates changed for {_people(changed)}.")
            except AppError as error:
                status = complain(form, error)
    context = {"form": form, "lesson": lesson, "target": target}
    return render(request, "flows/assignment_dates.html", context, status=status)


@require_POST
@member_required
def resend(request: MemberRequest, lesson_id: UUID) -> HttpResponse:
    """Tell everybody again who is not done."""
    lesson = access_lesson(request.user, request.organisation, lesson_id)
    told = resend_notice(lesson, by=Actor(user=request.user))
    return go_to(request, _address(lesson), f"{_people(told)} told again.".capitalize())


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def credit(request: MemberRequest, lesson_id: UUID) -> HttpResponse:
    """What people have completed before: ``days`` back, looked at first, then counted."""
    lesson = access_lesson(request.user, request.organisation, lesson_id)
    given = clean_line((request.POST or request.GET).get("days"), 5)
    days = int(given) if given.isascii() and given.isdecimal() else 0
    context: dict[str, Any] = {"lesson": lesson, "days": given}
    status, by = 200, Actor(user=request.user)
    try:
        if request.method == "POST":
            done = credit_prior(lesson, days, by=by)
            return go_to(request, _address(lesson), f"{len(done)} steps counted.")
        if given:
            context["found"] = credit_prior(lesson, days, by=by, preview=True)
    except AppError as error:
        context["error"], status = error, error.status
    return render(request, "flows/assignment_credit.html", context, status=status)


@require_POST
@member_required
def begin_again(request: MemberRequest, target_id: UUID) -> HttpResponse:
    """End one row and begin its next attempt."""
    target = access_target(request.user, request.organisation, target_id)
    require_staff(request.user, request.organisation, LessonNotFound)
    reason = clean_text(request.POST.get("reason", ""))[:MAX_NOTES]
    new = restart(target, by=Actor(user=request.user), reason=reason)
    notice = f"{target.assignee_name} begins again: attempt {new.attempt}."
    return go_to(request, _address(target.lesson), notice)


def _page(request: MemberRequest, lesson: Lesson) -> HttpResponse:
    number = _number(request)
    start = (number - 1) * TARGETS
    rows = lesson.targets.select_related("flow", "user", "agent")
    found = list(rows.order_by(*_OPEN_FIRST)[start : start + TARGETS + 1])
    shares = shares_of(found[:TARGETS])
    shown = [(one, shares[one.pk]) for one in found[:TARGETS]]
    facts = [(one.pk, one.updated_at, one.seq) for one, _ in shown]
    version = sha256(repr((facts, lesson.updated_at)).encode()).hexdigest()[:16]
    if request.GET.get("v") == version:
        return HttpResponse(status=204)
    (line,) = lines_of_lessons([lesson])
    context = {
        "lesson": lesson,
        "line": line,
        "targets": shown,
        "number": number,
        "has_next": len(found) > TARGETS,
        "version": version,
    }
    template = "flows/assignment_live.html" if "v" in request.GET else "flows/assignment.html"
    return render(request, template, context)


# What has not ended has an empty ``ended``.
_OPEN_FIRST: Any = ("ended", "user__name", "user__email", "position", "attempt", "pk")


def _asked(request: MemberRequest) -> AssignmentFilter:
    """Filters as the address has them; what means nothing is left out."""
    given = request.GET
    zone = _zone_of(request)
    state, sort = given.get("state", ""), given.get("sort", "")
    moments: dict[str, Any] = {}
    for name in _RANGES:
        moments[name] = start_of_day(_day(given.get(name)), zone, after=name.endswith("_to"))
    return AssignmentFilter(
        flow=parse_id(given.get("flow")),
        course=parse_id(given.get("course")),
        who=clean_line(given.get("q"), 100),
        by="me" if given.get("by") == "me" else "",
        state=state if state in STATES else "",
        sort=sort if sort in SORTS else "-assigned",
        **moments,
    )


def _zone_of(request: MemberRequest) -> str:
    try:
        return ZoneInfo(request.user.timezone).key
    except (ValueError, OSError):
        return "UTC"


def _day(text: str | None) -> Any:
    try:
        found = parse_date(clean_line(text, 10))
    except ValueError:
        return None
    return found if found and 2000 <= found.year <= 2200 else None


def _number(request: MemberRequest) -> int:
    given = request.GET.get("page", "")
    known = given.isascii() and given.isdecimal() and len(given) < 6
    return max(1, min(int(given), MAX_PAGE)) if known else 1


def _sorting(query: QueryDict, sort: str, name: str) -> tuple[str, str]:
    """The address that sorts by a column (the other way, if it does already), and ``aria-sort``."""
    changed = query.copy()
    changed["sort"] = f"-{name}" if sort == name else name
    now = {name: "ascending", f"-{name}": "descending"}.get(sort, "none")
    return changed.urlencode(), now


def _facts(line: Any) -> tuple[int, ...]:
    return (line.people, line.complete, line.waiting, line.share.done, line.share.total)


def _dates(lesson: Lesson, target: LessonTarget | None) -> dict[str, Any]:
    of = target or lesson
    return {
        "due": day_of(of.due_at, lesson.timezone),
        "follow_up": day_of(of.follow_up_at, lesson.timezone),
        "timezone": lesson.timezone,
    }


def _address(lesson: Lesson) -> str:
    return reverse("flows:assignment", args=[lesson.pk])


def _people(number: int) -> str:
    return f"{number} {'person' if number == 1 else 'people'}"
