"""Courses: the list, and the page where one is made and changed."""

from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents_app.views.answers import LISTED, go_to
from chat_app.views.answers import is_htmx
from flows_app.access import access_course, require_staff
from flows_app.conf import MAX_COURSE_FLOWS, NAME_LIMIT
from flows_app.errors import CourseNotFound
from flows_app.forms.courses import TypedCourse, edit_course, sent_course
from flows_app.models import Course, Flow
from flows_app.services.courses import archive_course, create_course, update_course
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line

SHOWN = [("", "All but archived"), ("archived", "Archived")]


@require_safe
@member_required
def course_list(request: MemberRequest) -> HttpResponse:
    """The organisation's courses, for staff."""
    require_staff(request.user, request.organisation, CourseNotFound)
    query = clean_line(request.GET.get("q"), 100)
    show = clean_line(request.GET.get("show"), 20)
    courses = Course.objects.filter(organisation=request.organisation)
    courses = courses.exclude(archived_at=None) if show == "archived" else courses.active()
    if query:
        courses = courses.filter(Q(name__icontains=query) | Q(description__icontains=query))
    courses = courses.annotate(flow_count=Count("course_flows")).order_by("name", "pk")
    found = list(courses[: LISTED + 1])
    context = {
        "courses": found[:LISTED],
        "more": len(found) > LISTED,
        "query": query,
        "show": show,
        "shown": SHOWN,
    }
    return render(request, "flows/courses.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def new_course(request: MemberRequest) -> HttpResponse:
    """GET shows an empty form; POST makes the course."""
    require_staff(request.user, request.organisation, CourseNotFound)
    if request.method != "POST":
        return _page(request, None, TypedCourse())
    typed = sent_course(request.POST)
    try:
        course = create_course(request.organisation, by=request.user, **_chosen(request, typed))
    except InvalidInput as error:
        return _page(request, None, typed, problem=error.user_message, status=error.status)
    notice = f"“{course.name}” is there."
    return go_to(request, reverse("flows:course", args=[course.pk]), notice)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def course(request: MemberRequest, course_id: UUID) -> HttpResponse:
    """The course with its flows in order; POST saves all of it."""
    found = access_course(request.user, request.organisation, course_id)
    if request.method != "POST":
        return _page(request, found, _stored(found))
    typed = sent_course(request.POST)
    try:
        update_course(found, by=request.user, **_chosen(request, typed))
    except InvalidInput as error:
        found.refresh_from_db()
        return _page(request, found, typed, problem=error.user_message, status=error.status)
    return go_to(request, reverse("flows:course", args=[found.pk]), "Saved.")


@require_POST
@member_required
def new_course_part(request: MemberRequest) -> HttpResponse:
    """What a button does to the form of a new course; nothing is stored."""
    require_staff(request.user, request.organisation, CourseNotFound)
    return _part(request, None)


@require_POST
@member_required
def course_part(request: MemberRequest, course_id: UUID) -> HttpResponse:
    """What a button does to the form of a course; nothing is stored."""
    return _part(request, access_course(request.user, request.organisation, course_id))


def _part(request: MemberRequest, found: Course | None) -> HttpResponse:
    typed = sent_course(request.POST)
    do = request.POST.get("do", "")
    edit_course(typed, f"add:{request.POST.get('add', '')}" if do == "add" else do)
    return _page(request, found, typed, unsaved=True)


@require_POST
@member_required
def archive(request: MemberRequest, course_id: UUID) -> HttpResponse:
    """Put the course away: nothing new is assigned, what runs goes on. Can be taken back."""
    found = access_course(request.user, request.organisation, course_id)
    archive_course(found, by=request.user)
    undo = reverse("flows:restore_course", args=[found.pk])
    return go_to(request, reverse("flows:courses"), f"“{found.name}” is archived.", undo)


@require_POST
@member_required
def restore(request: MemberRequest, course_id: UUID) -> HttpResponse:
    """Bring an archived course back."""
    found = access_course(request.user, request.organisation, course_id)
    archive_course(found, by=request.user, archived=False)
    return go_to(request, reverse("flows:course", args=[found.pk]), f"“{found.name}” is back.")


def _stored(found: Course) -> TypedCourse:
    return TypedCourse(
        name=found.name,
        description=found.description,
        in_order=found.in_order,
        flows=list(found.course_flows.order_by("position").values_list("flow_id", flat=True)),
    )


def _chosen(request: MemberRequest, typed: TypedCourse) -> dict[str, Any]:
    """What the services take. Raises InvalidInput for flows that are not there."""
    rows = Flow.objects.filter(organisation=request.organisation).in_bulk(typed.flows)
    if len(rows) != len(set(typed.flows)):
        raise InvalidInput("Please choose flows of this organisation.")
    return {
        "name": typed.name,
        "description": typed.description,
        "in_order": typed.in_order,
        "flows": [rows[key] for key in typed.flows],
    }


def _page(
    request: MemberRequest,
    found: Course | None,
    typed: TypedCourse,
    *,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    rows = Flow.objects.filter(organisation=request.organisation)
    chosen = rows.in_bulk(typed.flows)
    context = {
        "course": found,
        "typed": typed,
        "flows": [chosen[key] for key in typed.flows if key in chosen],
        "others": rows.active().exclude(pk__in=typed.flows).order_by("name", "pk")[:500],
        "limits": {"name": NAME_LIMIT, "flows": MAX_COURSE_FLOWS},
        **more,
    }
    page = "flows/_course_form.html" if is_htmx(request) else "flows/course.html"
    return render(request, page, context, status=status)
