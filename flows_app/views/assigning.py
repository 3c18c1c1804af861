"""Assigning: the wizard, many rows at once, and what came of them."""

import csv
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from agents_app.views.answers import complain, go_to
from flows_app.access import require_staff
from flows_app.errors import LessonNotFound
from flows_app.forms.assigning import AssignForm, TableForm, steps_offered
from flows_app.models import BulkAssignment, Lesson
from flows_app.runtime.actors import Actor
from flows_app.services.bulk import assign_lessons
from flows_app.services.bulk_results import BulkResult, result_of
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.csv_files import safe_cell
from one_project.common.errors import AppError
from one_project.common.ids import parse_id
from one_project.common.text import clean_line

# Rows of a result that a page shows; all are in its CSV.
SHOWN = 200


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def assign(request: MemberRequest) -> HttpResponse:
    """Whom, what, when; ``flow``, ``course``, ``user`` or ``agent`` choose beforehand.

    ``do=preview`` says what would happen; ``do=assign`` does it, if that is what was looked at.
    """
    require_staff(request.user, request.organisation)
    if request.method != "POST":
        form = AssignForm(request.organisation, request.user, initial=_chosen(request))
        return render(request, "flows/assign.html", {"form": form})
    form = AssignForm(request.organisation, request.user, request.POST)
    return _answered(request, form, "flows/assign.html")


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def table(request: MemberRequest) -> HttpResponse:
    """As the wizard, for the rows of a file or of what was pasted."""
    require_staff(request.user, request.organisation)
    if request.method != "POST":
        form = TableForm(request.organisation, request.user, initial=_chosen(request))
        return render(request, "flows/assign_table.html", {"form": form})
    form = TableForm(request.organisation, request.user, request.POST, files=request.FILES)
    return _answered(request, form, "flows/assign_table.html")


@require_safe
@member_required
def steps(request: MemberRequest) -> HttpResponse:
    """The steps of the flow in ``what``, as the field of the wizard."""
    require_staff(request.user, request.organisation)
    what = clean_line(request.GET.get("what"), 60)
    choices = steps_offered(request.organisation, what)
    return render(request, "flows/assign_steps.html", {"choices": choices})


@require_safe
@member_required
def bulk(request: MemberRequest, bulk_id: UUID) -> HttpResponse:
    """What came of many rows, also while a worker is at it; 204 while nothing has changed."""
    found = _bulk(request, bulk_id)
    version = f"{found.done}-{found.status}"
    if request.htmx:  # type: ignore[attr-defined]
        if request.GET.get("v") == version:
            return HttpResponse(status=204)
        template = "flows/bulk_live.html"
    else:
        template = "flows/bulk.html"
    result = result_of(found)
    shown = result.problems_first
    context = {
        "bulk": found,
        "result": result,
        "shown": shown[:SHOWN],
        "more": len(shown) > SHOWN,
        "version": version,
    }
    return render(request, template, context)


@require_safe
@member_required
def bulk_csv(request: MemberRequest, bulk_id: UUID) -> HttpResponse:
    """Every row with what came of it."""
    found = _bulk(request, bulk_id)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="assignments-{found.pk}.csv"'
    writer = csv.writer(response)
    writer.writerow(["line", "who", "outcome", "says"])
    for one in result_of(found).results:
        writer.writerow([safe_cell(cell) for cell in (one.line, one.who, one.outcome, one.text)])
    return response


def _answered(request: MemberRequest, form: AssignForm | TableForm, template: str) -> HttpResponse:
    """The preview, or what was asked for; with all that was typed where it cannot be."""
    fragment = bool(request.htmx)  # type: ignore[attr-defined]
    context: dict[str, Any] = {"form": form, "fragment": fragment}
    status = 422
    if form.is_valid():
        try:
            rows = form.rows()
            digest = form.digest(rows)
            looked_at = request.POST.get("previewed") == digest
            if request.POST.get("do") == "assign" and looked_at:
                return _assigned(request, _result(request, form, rows, preview=False))
            context |= {
                "result": _result(request, form, rows, preview=True),
                "digest": digest,
                "changed": request.POST.get("do") == "assign",
            }
            status = 200
        except AppError as error:
            status = complain(form, error)
    return render(
        request, "flows/assign_preview.html" if fragment else template, context, status=status
    )


def _result(
    request: MemberRequest, form: AssignForm | TableForm, rows: Any, *, preview: bool
) -> BulkResult:
    return assign_lessons(
        request.organisation,
        rows,
        by=Actor(user=request.user),
        preview=preview,
        request_id=form.cleaned_data["request_id"] or None,
        options=form.options(),
    )


def _assigned(request: MemberRequest, result: BulkResult) -> HttpResponse:
    """To the one assignment that was made, or to what came of all."""
    assert result.bulk is not None
    if result.is_done and len(result.results) == 1 and result.created:
        made = Lesson.objects.filter(
            organisation=request.organisation, assigned_at__gte=result.bulk.created_at
        ).order_by("assigned_at")
        lesson = made.filter(assigned_by=request.user).first()
        if lesson is not None:
            address = reverse("flows:assignment", args=[lesson.pk])
            return go_to(request, address, result.sentence)
    response = redirect("flows:bulk", result.bulk.pk)
    response.status_code = 303
    return response


def _bulk(request: MemberRequest, bulk_id: UUID) -> BulkAssignment:
    require_staff(request.user, request.organisation)
    rows = BulkAssignment.objects.filter(organisation=request.organisation).defer("rows")
    found = rows.filter(pk=bulk_id).first()
    if found is None:
        raise LessonNotFound
    return found


def _chosen(request: MemberRequest) -> dict[str, Any]:
    """What the address of the page chooses beforehand."""
    chosen: dict[str, Any] = {}
    for name in ("flow", "course"):
        if key := parse_id(request.GET.get(name)):
            chosen["what"] = f"{name}:{key}"
    for name, field in (("user", "people"), ("agent", "agents")):
        if key := parse_id(request.GET.get(name)):
            chosen[field] = [str(key)]
    return chosen
