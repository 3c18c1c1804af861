"""One step of one assignment: where it stands, its history, and a form to move it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import trigger_client_event

from agents_app.views.answers import go_to
from flows_app.access import access_step, access_target, require_staff
from flows_app.errors import LessonNotFound, StaleProgress, StepNotFound
from flows_app.models import LessonTarget, Status
from flows_app.runtime.actors import Actor
from flows_app.runtime.transitions import ALLOWED
from flows_app.services.progress import update_flow_progress
from flows_app.services.reading import StepLine, history_of, lines_of
from flows_app.views.filters import number
from flows_app.views.matrix import read_token
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AccessDenied, AppError, Conflict, InvalidInput
from one_project.common.ids import new_id
from one_project.common.pages import wants_json

HISTORY = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What is in the form."""

    status: str = ""
    reason: str = ""
    notes: str = ""
    request_id: str = ""


@require_safe
@member_required
def pick_cell(request: MemberRequest) -> HttpResponse:
    """The cell that a button of the matrix names in ``c``."""
    require_staff(request.user, request.organisation, LessonNotFound)
    target_id, position = read_token(request.GET.get("c", ""))
    target = access_target(request.user, request.organisation, target_id)
    step = target.revision.steps.filter(position=position).first()
    if step is None:
        raise StepNotFound
    return _show(request, target, access_step(target, step.key).key)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def cell(request: MemberRequest, target_id: UUID, step_key: UUID) -> HttpResponse:
    """GET shows it; POST moves the step to ``to``."""
    require_staff(request.user, request.organisation, LessonNotFound)
    target = access_target(request.user, request.organisation, target_id)
    step = access_step(target, step_key)
    if request.method != "POST":
        return _show(request, target, step.key)
    typed = Typed(
        status=request.POST.get("to", ""),
        reason=request.POST.get("reason", ""),
        notes=request.POST.get("notes", ""),
        request_id=request.POST.get("request_id", "")[:64].replace("\x00", ""),
    )
    try:
        if typed.status not in Status.values:
            raise InvalidInput("Please choose what it becomes.")
        update_flow_progress(
            target,
            step,
            typed.status,
            by=Actor(user=request.user),
            reason=typed.reason,
            notes=typed.notes,
            version=number(request.POST.get("version")),
            request_id=typed.request_id or None,
        )
    except (InvalidInput, Conflict, AccessDenied) as error:
        if wants_json(request):
            raise
        return _show(request, target, step.key, typed=typed, error=error)
    said = f"{target.assignee_name}, {step.name}: {typed.status}"
    if request.headers.get("HX-Request") != "true":
        return go_to(request, reverse("flows:cell", args=[target.pk, step.key]), said)
    response = render(request, "flows/_cell_moved.html", {"said": said})
    # The form stays what it is until its dialog has closed. The page behind it looks at once, also
    # where its socket is away.
    response.headers["HX-Reswap"] = "none"
    return trigger_client_event(response, "one:inbox", {})


def _show(
    request: MemberRequest,
    target: LessonTarget,
    step_key: UUID,
    *,
    typed: Typed | None = None,
    error: AppError | None = None,
) -> HttpResponse:
    """The fragment for the dialog, or a page of its own. What was typed stays in the form, with
    the state as it is now beside it."""
    line = next((one for one in lines_of(target) if one.step.key == step_key), None)
    if line is None:
        raise StepNotFound
    is_htmx = request.headers.get("HX-Request") == "true"
    context: dict[str, Any] = {
        "target": target,
        "line": line,
        "history": history_of(target, step_key=step_key)[:HISTORY],
        "ways": _ways(line),
        "typed": typed or Typed(request_id=str(new_id())),
        "error": error,
        "is_stale": isinstance(error, StaleProgress),
        "is_page": not is_htmx,
    }
    if typed is not None and isinstance(error, StaleProgress):
        # A new look at it is a new request.
        context["typed"] = Typed(
            status=typed.status, reason=typed.reason, notes=typed.notes, request_id=str(new_id())
        )
    name = "flows/_cell.html" if is_htmx else "flows/cell.html"
    response = render(request, name, context, status=error.status if error else 200)
    response.headers["Vary"] = "HX-Request"
    if is_htmx and error is not None:
        response.headers["HX-Retarget"] = "#dialog-body"
        response.headers["HX-Reswap"] = "innerHTML"
    return response


def _ways(line: StepLine) -> list[str]:
    return [str(status) for status in ALLOWED[line.status]]
