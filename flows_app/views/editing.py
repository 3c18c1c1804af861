"""The editor of a flow: the form, its buttons, and a look at one step as a learner sees it."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from agents_app.models import Agent
from agents_app.views.answers import go_to
from chat_app.views.answers import is_htmx
from flows_app.access import access_flow
from flows_app.conf import MAX_CONTENT, MAX_DUE_DAYS, NAME_LIMIT
from flows_app.errors import FlowCycle, InvalidSteps
from flows_app.forms.authoring import Editor, sent_editor, shown_editor
from flows_app.forms.editing import edit, opened_first
from flows_app.forms.typed_steps import drafts_of_form
from flows_app.models import Flow, StepKind
from flows_app.runtime.differences import differences
from flows_app.runtime.rules import completion_rule
from flows_app.runtime.step_settings import FIELD_TYPES, clean_settings
from flows_app.services.flows import save_draft
from flows_app.services.workflow_steps import flow_workflows
from flows_app.services.writing_steps import drafts_of
from flows_app.types import StepDraft
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, Conflict, InvalidInput
from one_project.common.ids import parse_id

# What is offered for a new step, and what it is good for.
OFFERED = [
    (StepKind.READING, "A text to read"),
    (StepKind.CHECKLIST, "Things to tick off"),
    (StepKind.FORM, "Questions to answer"),
    (StepKind.FILE, "A file to hand in"),
    (StepKind.CHAT, "A talk with an agent"),
    (StepKind.AGENT_TASK, "An agent drafts, staff approve"),
    (StepKind.APPROVAL, "Staff say yes"),
    (StepKind.WORKFLOW, "A program runs"),
]
TYPES = dict(
    zip(
        FIELD_TYPES,
        ("Short text", "Long text", "Number", "Date", "Choice", "Check box"),
        strict=True,
    )
)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def edit_flow(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """GET shows the draft (or what is published, to begin one); POST saves all of it.

    What cannot be saved comes back as it was typed: 422 with what to change next to the step, 409
    where somebody else was faster, with what differs. ``overwrite``: the version that is meant to
    be replaced. ``then=publish`` goes on to publishing.
    """
    flow = access_flow(request.user, request.organisation, flow_id)
    if request.method != "POST":
        return _page(request, flow, _stored(flow, parse_id(request.GET.get("step"))))
    editor = sent_editor(request.POST)
    overwrite = request.POST.get("overwrite", "")
    version = int(overwrite) if overwrite.isdecimal() and len(overwrite) < 9 else editor.version
    try:
        save_draft(
            flow,
            by=request.user,
            steps=drafts_of_form(editor.steps),
            name=editor.name,
            description=editor.description,
            completion_message=editor.completion_message,
            version=version,
        )
    except (InvalidInput, Conflict) as error:
        return _page(request, flow, editor, **_told(flow, editor, error), status=error.status)
    if request.POST.get("then") == "publish":
        return go_to(request, reverse("flows:publish", args=[flow.pk]))
    there = f"?step={editor.opened}" if editor.opened else ""
    return go_to(request, reverse("flows:edit", args=[flow.pk]) + there, "The draft is saved.")


@require_POST
@member_required
def edit_part(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """What one button of the editor does to the form that is sent along; nothing is stored."""
    flow = access_flow(request.user, request.organisation, flow_id)
    editor = sent_editor(request.POST)
    edit(editor, request.POST.get("do", ""))
    return _page(request, flow, editor, unsaved=True)


@require_POST
@member_required
def preview_step(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """The open step as a learner sees it, before it is saved."""
    flow = access_flow(request.user, request.organisation, flow_id)
    editor = sent_editor(request.POST)
    typed = editor.open_step
    if typed is None:
        raise InvalidInput("Please open the step you would like to see.")
    # One that cannot be saved yet has no other way to be seen.
    typed.name = typed.name or "No name yet"
    (step,) = drafts_of_form([typed])
    shown = StepDraft(
        kind=step.kind,
        name=step.name,
        content=step.content,
        is_required=step.is_required,
        settings=clean_settings(step.kind, step.settings, step.name),
    )
    context = {"flow": flow, "step": shown, "rule": completion_rule(step)}
    page = "flows/_step_preview.html" if is_htmx(request) else "flows/step_preview.html"
    return render(request, page, context)


def _stored(flow: Flow, opened: UUID | None) -> Editor:
    revision = flow.draft or flow.published
    return shown_editor(
        name=flow.name,
        description=flow.description,
        completion_message=revision.completion_message if revision else "",
        version=flow.draft.version if flow.draft else 0,
        steps=drafts_of(revision) if revision else [],
        opened=opened,
    )


def _told(flow: Flow, editor: Editor, error: AppError) -> dict[str, Any]:
    """What is wrong, where it can be seen; for a conflict also what differs."""
    flow.refresh_from_db()
    editor.problem = error.user_message
    context: dict[str, Any] = {"unsaved": True}
    if isinstance(error, InvalidSteps):
        opened_first(editor, error.problems)
        editor.problem = "Not saved yet: please look at the steps that are marked."
    elif isinstance(error, FlowCycle):
        told = "This step is part of the circle."
        opened_first(
            editor, {one.key: told for one in editor.steps if one.name.strip() in error.steps}
        )
    elif isinstance(error, Conflict):
        theirs = flow.draft or flow.published
        context["overwrite"] = flow.draft.version if flow.draft else 0
        context["differs"] = differences(
            drafts_of(theirs) if theirs else [], drafts_of_form(editor.steps)
        )
    return context


def _page(
    request: MemberRequest, flow: Flow, editor: Editor, *, status: int = 200, **more: Any
) -> HttpResponse:
    names = editor.names()
    opened = editor.open_step
    chosen = [step.agent for step in editor.steps if step.agent]
    usable = Agent.objects.usable_by(request.user, request.organisation)
    kept = Agent.objects.filter(
        Q(pk__in=usable.values("pk")) | Q(flow_steps__revision__flow=flow, pk__in=chosen),
        organisation=request.organisation,
    )
    context = {
        "flow": flow,
        "editor": editor,
        "lines": [
            {
                "step": step,
                "name": names[step.key],
                "waits": [names[key] for key in step.after if key in names],
                "problem": editor.problems.get(step.key, ""),
            }
            for step in editor.steps
        ],
        "others": [
            (key, name, opened is not None and key in opened.after)
            for key, name in names.items()
            if key != editor.opened
        ],
        "agents": kept.distinct().order_by("name", "pk"),
        "workflows": _workflows(opened.workflow if opened else ""),
        "offered": OFFERED,
        "kinds": StepKind.choices,
        "types": TYPES.items(),
        "limits": {"name": NAME_LIMIT, "content": MAX_CONTENT, "days": MAX_DUE_DAYS},
        **more,
    }
    page = "flows/_editor.html" if is_htmx(request) else "flows/edit.html"
    return render(request, page, context, status=status)


def _workflows(chosen: str) -> list[tuple[str, str]]:
    """What a step may start; what it names already stays to be seen, also where it is gone."""
    known = flow_workflows()
    gone = chosen and chosen not in dict(known)
    return [*known, (chosen, f"{chosen} (not here)")] if gone else known
