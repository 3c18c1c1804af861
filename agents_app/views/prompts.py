"""The library of prompts."""

from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from agents_app.access import access_prompt, access_prompt_to_edit, editable_prompts
from agents_app.errors import PromptNotFound
from agents_app.forms import PromptForm
from agents_app.models import Prompt
from agents_app.services.prompts import (
    create_prompt,
    delete_prompt,
    filled_prompts,
    restore_version,
    save_prompt,
    set_prompt_shared,
)
from agents_app.views.answers import LISTED, complain, go_to
from agents_app.views.editing import VARIABLES
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, Conflict
from one_project.common.ids import parse_id
from one_project.common.pages import wants_json
from one_project.common.text import clean_line

# Versions of one prompt that its page shows.
HISTORY = 50
SHOWN = [("", "All I can use"), ("mine", "Mine"), ("shared", "Shared")]


@require_safe
@member_required
def prompt_list(request: MemberRequest) -> HttpResponse:
    """The prompts the person may use, by name; ``q`` searches, ``show`` narrows."""
    query = clean_line(request.GET.get("q"), 100)
    show = clean_line(request.GET.get("show"), 20)
    prompts = Prompt.objects.usable_by(request.user, request.organisation)
    if show == "mine":
        prompts = prompts.filter(created_by=request.user)
    elif show == "shared":
        prompts = prompts.exclude(created_by=request.user, is_shared=False)
    if query:
        prompts = prompts.filter(Q(name__icontains=query) | Q(text__icontains=query))
    found = list(prompts.select_related("created_by").order_by("name")[: LISTED + 1])
    editable = editable_prompts(request.user, request.organisation)
    context = {
        "prompts": found[:LISTED],
        "more": len(found) > LISTED,
        "editable": set(
            editable.filter(pk__in=[prompt.pk for prompt in found]).values_list("pk", flat=True)
        ),
        "query": query,
        "show": show,
        "shown": SHOWN,
    }
    return render(request, "agents/prompts.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def new_prompt(request: MemberRequest) -> HttpResponse:
    """GET shows an empty form; POST makes the prompt, private until shared."""
    if request.method != "POST":
        return _page(request, PromptForm())
    form, status = PromptForm(request.POST), 422
    if form.is_valid():
        try:
            prompt = create_prompt(
                request.organisation,
                name=form.cleaned_data["name"],
                text=form.cleaned_data["text"],
                created_by=request.user,
            )
        except AppError as error:
            status = complain(form, error)
        else:
            return go_to(request, f"/agents/prompts/{prompt.pk}/", "Saved.")
    return _page(request, form, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def prompt_page(request: MemberRequest, prompt_id: UUID) -> HttpResponse:
    """The prompt with its history; POST saves the next version."""
    if request.method != "POST":
        prompt = access_prompt(request.user, request.organisation, prompt_id)
        return _page(request, PromptForm(prompt=prompt), prompt)
    prompt = access_prompt_to_edit(request.user, request.organisation, prompt_id)
    form, status = PromptForm(request.POST, prompt=prompt), 422
    if form.is_valid():
        try:
            saved = save_prompt(
                prompt,
                by=request.user,
                name=form.cleaned_data["name"],
                text=form.cleaned_data["text"],
                version=form.cleaned_data["version"] or prompt.version,
            )
        except AppError as error:
            status = complain(form, error)
            if isinstance(error, Conflict):
                # Sent once more, it is saved on top of what the other person saved.
                prompt.refresh_from_db()
                form.data = request.POST.copy()
                form.data["version"] = str(prompt.version)
        else:
            return go_to(
                request, f"/agents/prompts/{prompt.pk}/", f"Saved as version {saved.version}."
            )
    return _page(request, form, prompt, status=status)


@require_POST
@member_required
def restore(request: MemberRequest, prompt_id: UUID) -> HttpResponse:
    """Make version ``number`` the newest one; ``version`` is the newest the person saw."""
    prompt = access_prompt_to_edit(request.user, request.organisation, prompt_id)
    number, version = request.POST.get("number", ""), request.POST.get("version", "")
    # isdecimal also knows other scripts' digits, which int() reads.
    if not (number.isdecimal() and version.isdecimal()) or len(number + version) > 18:
        raise PromptNotFound("There is no such version of this prompt.")
    restore_version(prompt, by=request.user, number=int(number), version=int(version))
    return go_to(request, f"/agents/prompts/{prompt.pk}/", f"Version {int(number)} is back.")


@require_POST
@member_required
def delete(request: MemberRequest, prompt_id: UUID) -> HttpResponse:
    """Delete the prompt and its history."""
    prompt = access_prompt_to_edit(request.user, request.organisation, prompt_id)
    delete_prompt(prompt, by=request.user)
    return go_to(request, "/agents/prompts/", f"Deleted “{prompt.name}”.")


@require_POST
@member_required
def share_prompt(request: MemberRequest, prompt_id: UUID) -> HttpResponse:
    """Share the prompt with everybody in the organisation (``shared=1``) or not any more."""
    prompt = access_prompt_to_edit(request.user, request.organisation, prompt_id)
    is_shared = request.POST.get("shared", "1") != "0"
    set_prompt_shared(prompt, by=request.user, is_shared=is_shared)
    notice = "Everybody here can use it now." if is_shared else "It is private again."
    return go_to(request, f"/agents/prompts/{prompt.pk}/", notice)


@require_safe
@vary_on_headers("Accept")
@member_required
def pick(request: MemberRequest) -> HttpResponse:
    """The prompts to put into the box, filled in for ``thread``: buttons, or JSON where asked."""
    found = filled_prompts(
        request.user, request.organisation, thread_id=parse_id(request.GET.get("thread"))
    )
    if wants_json(request):
        items = [{"id": str(one.pk), "name": one.name, "text": text} for one, text in found]
        return JsonResponse({"prompts": items})
    return render(request, "agents/_pick.html", {"prompts": found})


def _page(
    request: MemberRequest, form: PromptForm, prompt: Prompt | None = None, *, status: int = 200
) -> HttpResponse:
    context: dict[str, object] = {"form": form, "prompt": prompt, "variables": VARIABLES}
    if prompt is None:
        return render(request, "agents/prompt.html", {**context, "may_edit": True}, status=status)
    editable = editable_prompts(request.user, request.organisation)
    context["may_edit"] = editable.filter(pk=prompt.pk).exists()
    if context["may_edit"]:
        versions = prompt.versions.select_related("created_by").order_by("-number")
        context["versions"] = versions[:HISTORY]
        context["used_by"] = prompt.agents.filter(is_active=True).count()
    return render(request, "agents/prompt.html", context, status=status)
