"""Notification workflows for admins: which there are, writing one, trying it, its last runs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations_app.errors import InvalidSettings
from integrations_app.forms.notification_workflow import WorkflowForm, steps_as_text
from integrations_app.models import Notification, NotificationWorkflow
from integrations_app.runtime.notification_steps import dump_steps
from integrations_app.runtime.step_words import in_words
from integrations_app.services import notification_workflows as verbs
from integrations_app.services.notifications import trigger
from one_project.accounts.guards import admin_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, Conflict, InvalidInput, NotFound

RUNS = 20
_BEGIN = [
    {"kind": "in_app", "title": "{{ payload.title }}", "body": "", "url": "/chat/"},
    {"kind": "email", "subject": "{{ payload.title }}", "body": "{{ payload.title }}"},
    {"kind": "delay", "seconds": 3600},
    {
        "kind": "sms",
        "text": "{{ payload.title }}",
        "skip": {"==": [{"var": "notification.read"}, True]},
    },
]


@require_safe
@admin_required
def workflows(request: MemberRequest) -> HttpResponse:
    found = [
        {"one": one, "words": [in_words(step) for step in one.steps]}
        for one in verbs.definitions(request.organisation)
    ]
    return render(request, "connections/workflows.html", {"found": found})


@require_http_methods(["GET", "HEAD", "POST"])
@admin_required
def new(request: MemberRequest) -> HttpResponse:
    """``from``: the key of one to begin with; one in Python keeps its key, to be replaced."""
    if request.method == "POST":
        form = WorkflowForm(request.POST)
        if form.is_valid():
            try:
                row = verbs.create_workflow(request.organisation, form.draft, by=request.user)
            except (InvalidInput, Conflict) as error:
                return _form(request, form, error=error)
            messages.success(request, "Saved. It can be triggered now.")
            return _see(reverse("connections:workflow", args=[row.pk]))
        return _form(request, form)
    initial: dict[str, Any] = {"steps": steps_as_text(_BEGIN), "category": verbs.GENERAL}
    if key := request.GET.get("from", ""):
        initial = _initial(verbs.find_definition(request.organisation, key))
    return _form(request, WorkflowForm(initial={"is_active": True, **initial}))


@require_http_methods(["GET", "HEAD", "POST"])
@admin_required
def workflow(request: MemberRequest, workflow_id: UUID) -> HttpResponse:
    row = _row(request, workflow_id)
    if request.method == "POST":
        form = WorkflowForm(request.POST)
        if form.is_valid():
            try:
                verbs.change_workflow(
                    row, form.draft, by=request.user, read_at=_moment(request.POST.get("read_at"))
                )
            except (InvalidInput, Conflict) as error:
                return _form(request, form, row, error)
            messages.success(request, "Saved. What runs already keeps its steps.")
            return _see(reverse("connections:workflow", args=[row.pk]))
        return _form(request, form, row)
    initial = {
        "key": row.key,
        "name": row.name,
        "description": row.description,
        "category": row.category,
        "is_critical": row.is_critical,
        "is_active": row.is_active,
        "steps": steps_as_text(row.steps),
    }
    return _form(request, WorkflowForm(initial=initial), row)


@require_POST
@admin_required
def check(request: MemberRequest) -> HttpResponse:
    """While it is written: what is wrong in the form, or what it does, in words."""
    form = WorkflowForm(request.POST)
    return render(request, "connections/_workflow_check.html", _checked(request, form))


@require_POST
@admin_required
def delete(request: MemberRequest, workflow_id: UUID) -> HttpResponse:
    row = _row(request, workflow_id)
    verbs.remove_workflow(row, by=request.user)
    messages.success(request, f"“{row.name}” is gone. What runs goes on.")
    return _see(reverse("connections:workflows"))


@require_POST
@admin_required
def try_it(request: MemberRequest, key: str) -> HttpResponse:
    """Trigger it for oneself, with the ``payload`` of the form."""
    found = verbs.find_definition(request.organisation, key)
    here = reverse("connections:workflows")
    if found.row is not None:
        here = reverse("connections:workflow", args=[found.row.pk])
    try:
        payload = WorkflowForm.payload_of(request.POST.get("payload", ""))
        [told] = trigger(
            request.organisation, key, to=request.user, payload=payload, by=request.user
        )
    except AppError as error:
        messages.error(request, error.user_message)
        return _see(here)
    messages.success(request, "Triggered for you. This is its way.")
    return _see(reverse("connections:notification", args=[told.pk]))


def _row(request: MemberRequest, workflow_id: UUID) -> NotificationWorkflow:
    rows = NotificationWorkflow.objects.filter(organisation=request.organisation)
    found = rows.select_related("organisation").filter(pk=workflow_id).first()
    if found is None:
        raise NotFound
    return found


def _form(
    request: MemberRequest,
    form: WorkflowForm,
    row: NotificationWorkflow | None = None,
    error: AppError | None = None,
) -> HttpResponse:
    """The page with the form as it was sent, and what is wrong with it."""
    context = _checked(request, form)
    if error is not None and not isinstance(error, InvalidSettings):
        context["problems"] = [("", error.user_message)]
    if not form.is_bound:
        context["problems"] = []
    runs = Notification.objects.filter(
        organisation=request.organisation, workflow=row.key if row else ""
    )
    context |= {
        "form": form,
        "row": row,
        "read_at": request.POST.get("read_at") or (row.updated_at.isoformat() if row else ""),
        "replaces": row is not None and verbs.is_defined(row.key),
        "runs": runs.select_related("user").order_by("-created_at")[:RUNS] if row else [],
    }
    failed = form.is_bound and bool(context["problems"])
    status = (error.status if error else 422) if failed else 200
    return render(request, "connections/workflow.html", context, status=status)


def _checked(request: MemberRequest, form: WorkflowForm) -> dict[str, Any]:
    """``problems`` (path and sentence) or ``words``, one for each step."""
    if form.is_bound and not form.is_valid():
        return {"problems": form.problems, "words": []}
    try:
        draft = form.draft if form.is_bound else form.initial_draft
        steps = verbs.check_draft(request.organisation, draft)
    except InvalidSettings as error:
        return {"problems": list(error.problems.items()), "words": []}
    return {"problems": [], "words": [in_words(one) for one in steps]}


def _initial(found: verbs.Definition) -> dict[str, Any]:
    return {
        "key": found.key if found.row is None else "",
        "name": found.name,
        "description": found.description,
        "category": found.category,
        "is_critical": found.is_critical,
        "steps": steps_as_text(dump_steps(found.steps)),
    }


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "")
    except ValueError:
        return None


def _see(address: str) -> HttpResponse:
    response = redirect(address)
    response.status_code = 303
    return response
