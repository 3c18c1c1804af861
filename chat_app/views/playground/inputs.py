"""Saved inputs, and comparing two prompts on them."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from agents_app.errors import InvalidFields
from chat_app.models import Check, InputSet
from chat_app.services.playground_inputs import (
    NewInput,
    access_input_set,
    delete_input_set,
    input_sets,
    save_input_set,
)
from chat_app.views.answers import go_to
from chat_app.views.playground.asked import posted_inputs
from chat_app.views.playground.guard import staff_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.text import clean_line

BLANK = 3
INPUTS = "/playground/inputs/"


@require_http_methods(["GET", "HEAD", "POST"])
@staff_required
def inputs(request: MemberRequest) -> HttpResponse:
    """The lists of the organisation, and a form for a new one."""
    if request.method != "POST":
        return _sets(request)
    rows, name = posted_inputs(request), clean_line(request.POST.get("name"), 121)
    try:
        made = save_input_set(request.organisation, by=request.user, name=name, inputs=rows)
    except InvalidFields as error:
        return _sets(request, name=name, rows=rows, errors=error.fields, status=error.status)
    return go_to(request, f"{INPUTS}{made.pk}/")


@require_http_methods(["GET", "HEAD", "POST"])
@staff_required
def input_set(request: MemberRequest, set_id: UUID) -> HttpResponse:
    """One list; POST replaces all of it."""
    found = access_input_set(request.organisation, set_id)
    if request.method != "POST":
        kept = found.inputs.order_by("position")
        rows = [NewInput(each.text, each.expected, each.check_by) for each in kept]
        return _set(request, found, name=found.name, rows=rows)
    rows, name = posted_inputs(request), clean_line(request.POST.get("name"), 121)
    try:
        save_input_set(
            request.organisation, by=request.user, name=name, inputs=rows, input_set=found
        )
    except InvalidFields as error:
        return _set(request, found, name=name, rows=rows, errors=error.fields, status=error.status)
    return go_to(request, f"{INPUTS}{found.pk}/")


@require_POST
@staff_required
def delete_inputs(request: MemberRequest, set_id: UUID) -> HttpResponse:
    """Delete the list; comparisons made with it stay."""
    delete_input_set(access_input_set(request.organisation, set_id), by=request.user)
    return go_to(request, INPUTS)


def _sets(
    request: MemberRequest,
    *,
    name: str = "",
    rows: list[NewInput] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {"sets": input_sets(request.organisation), **_form(name, rows or [], errors or {})}
    return render(request, "playground/inputs.html", context, status=status)


def _set(
    request: MemberRequest,
    found: InputSet,
    *,
    name: str,
    rows: list[NewInput],
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {"input_set": found, **_form(name, rows, errors or {})}
    return render(request, "playground/input_set.html", context, status=status)


def _form(name: str, rows: list[NewInput], errors: dict[str, str]) -> dict[str, Any]:
    """The rows with what is wrong in each, and some empty ones after them."""
    shown = [(each, errors.get(f"input-{n}", "")) for n, each in enumerate(rows)]
    while shown and not shown[-1][0].text and not shown[-1][1]:
        shown.pop()
    shown += [(NewInput(""), "")] * BLANK
    return {"name": name, "rows": shown, "errors": errors, "checks": Check.choices}
