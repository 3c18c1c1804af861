"""A flow as a JSON file, and a flow made of one."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_safe

from agents_app.views.answers import go_to
from flows_app.access import access_flow, require_staff
from flows_app.conf import NAME_LIMIT
from flows_app.models import StepKind
from flows_app.runtime.exchange import MAX_BYTES
from flows_app.runtime.rules import completion_rule
from flows_app.services.exchange import Import, export_flow, import_flow, preview_import
from flows_app.views.authoring import asked_revision
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import InvalidInput
from one_project.common.text import clean_line


@require_safe
@member_required
def export(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """The flow as a file: what is published, else the draft; ``revision`` asks for a number."""
    flow = access_flow(request.user, request.organisation, flow_id)
    chosen = asked_revision(request, flow) if request.GET.get("revision") else None
    response = JsonResponse(
        export_flow(flow, chosen), json_dumps_params={"indent": 2, "ensure_ascii": False}
    )
    name = slugify(flow.name)[:80] or "flow"
    response["Content-Disposition"] = f'attachment; filename="{name}.flow.json"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def import_page(request: MemberRequest) -> HttpResponse:
    """A file or a pasted text, then a preview, then (``confirm``) the flow.

    Until it is confirmed nothing is stored; what is wrong is told with its place, and a name that
    is taken gets another one to change.
    """
    require_staff(request.user, request.organisation)
    if request.method != "POST":
        return _page(request)
    document, name = _document(request), clean_line(request.POST.get("name"), NAME_LIMIT)
    try:
        if request.POST.get("confirm"):
            flow = import_flow(request.organisation, document, by=request.user, name=name)
            notice = f"“{flow.name}” is there as a draft. Look at it, then publish it."
            return go_to(request, reverse("flows:edit", args=[flow.pk]), notice)
        found = preview_import(request.organisation, document, by=request.user)
    except InvalidInput as error:
        return _page(request, document, error, name)
    return render(request, "flows/import.html", _look(found, document))


def _document(request: MemberRequest) -> str:
    """The file if there is one, else what was pasted; as text, one byte too many shows in it."""
    file = request.FILES.get("file")
    if file is None:
        return str(request.POST.get("document", ""))
    raw: bytes = file.read(MAX_BYTES + 1)
    return raw.decode("utf-8-sig", "replace")


def _look(found: Import, document: str) -> dict[str, Any]:
    return {
        "found": found,
        "steps": [(step, StepKind(step.kind).label, completion_rule(step)) for step in found.steps],
        "document": document,
        "name": found.name,
        "limit": NAME_LIMIT,
    }


def _page(
    request: MemberRequest, document: str = "", error: InvalidInput | None = None, name: str = ""
) -> HttpResponse:
    context: dict[str, Any] = {"document": document, "limit": NAME_LIMIT, "name": name}
    if error is None:
        return render(request, "flows/import.html", context)
    context["problem"] = error.user_message
    # Where the document is fine and only its name was not, the preview stays.
    with suppress(InvalidInput):
        context |= _look(preview_import(request.organisation, document, by=request.user), document)
    return render(request, "flows/import.html", context, status=error.status)
