"""Comments of an assignment or one of its steps: a fragment that other pages carry, and a page."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from chat_app.views.answers import go_to, is_htmx
from flows_app.access import access_step, access_target
from flows_app.models import Comment, FlowStep, LessonTarget
from flows_app.runtime.actors import Actor
from flows_app.services.comments import (
    access_comment,
    address_of_comments,
    comment,
    comments_of,
    delete_comment,
    edit_comment,
    may_be_mentioned,
)
from flows_app.services.reading import steps_of
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import Role
from one_project.common.errors import AppError, Conflict, InvalidInput
from one_project.common.ids import new_id, parse_id
from one_project.common.text import clean_line, clean_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A comment as one person sees it. ``typed``: being changed, with this in the box. ``is_kept``:
    their page has it open, and leaves it alone. ``step_name``: where steps are mixed."""

    comment: Comment
    may_edit: bool
    may_delete: bool
    typed: str | None = None
    error: AppError | None = None
    is_kept: bool = False
    step_name: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
@member_required
def comments(request: MemberRequest, target_id: UUID) -> HttpResponse:
    """Those of a target; ``step``: of that step. ``v``: 204 while it is what the page shows.

    Posted ``text`` is added; what cannot be stays in the box.
    """
    target = access_target(request.user, request.organisation, target_id)
    asked = request.GET.get("step") or request.POST.get("step")
    step = access_step(target, asked) if asked else None
    error = None
    if request.method == "POST":
        try:
            said = comment(
                target,
                by=Actor(user=request.user),
                text=request.POST.get("text", ""),
                step=step,
                request_id=clean_line(request.POST.get("request_id"), 64) or None,
            )
        except (InvalidInput, Conflict) as wrong:
            error = wrong
        else:
            if not is_htmx(request):
                return go_to(request, address_of_comments(target.pk, said.step_key, said.pk))
    context = _context(request, target, step)
    if error:
        context |= {"error": error, "typed": clean_text(request.POST.get("text"))}
    if request.method != "POST" and is_htmx(request) and request.GET.get("v"):
        if request.GET["v"] == context["version"]:
            return HttpResponse(status=204)
        return render(request, "lessons/_comment_list.html", context)
    name = "_comments" if is_htmx(request) else "comments"
    return render(request, f"lessons/{name}.html", context, status=error.status if error else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def one_comment(request: MemberRequest, comment_id: UUID) -> HttpResponse:
    """One of them, with ``edit`` as a form; posted ``text`` takes the place of its own."""
    said = access_comment(request.user, request.organisation, comment_id)
    typed = said.text if request.GET.get("edit") else None
    error = None
    if request.method == "POST":
        typed = clean_text(request.POST.get("text"))
        try:
            edit_comment(said, by=request.user, text=typed)
        except (InvalidInput, Conflict) as wrong:
            error = wrong
        else:
            if not is_htmx(request):
                return _back(request, said)
            typed, said = None, access_comment(request.user, request.organisation, comment_id)
    one = _shown(request, said, typed=typed, error=error)
    status = error.status if error else 200
    if is_htmx(request):
        return render(request, "lessons/_comment.html", {"shown": one}, status=status)
    target = access_target(request.user, request.organisation, said.target_id)
    step = access_step(target, said.step_key) if said.step_key else None
    context = _context(request, target, step)
    context["comments"] = [
        one if other.comment.pk == said.pk else other for other in context["comments"]
    ]
    return render(request, "lessons/comments.html", context, status=status)


@require_POST
@member_required
def delete(request: MemberRequest, comment_id: UUID) -> HttpResponse:
    """Take one away; what is left of it is shown."""
    said = access_comment(request.user, request.organisation, comment_id)
    delete_comment(said, by=request.user)
    if not is_htmx(request):
        return _back(request, said)
    said = access_comment(request.user, request.organisation, comment_id)
    return render(request, "lessons/_comment.html", {"shown": _shown(request, said)})


def _context(request: MemberRequest, target: LessonTarget, step: FlowStep | None) -> dict[str, Any]:
    listed = comments_of(target, step)
    names = {one.key: one.name for one in steps_of(target)} if step is None else {}
    state = [(str(one.pk), str(one.edited_at), bool(one.deleted_at)) for one in listed]
    # Comments that are being changed on the page, by their ids.
    open_ones = [*request.GET.getlist("editing"), *request.POST.getlist("editing")]
    kept = {key for value in open_ones if (key := parse_id(value))}
    return {
        "target": target,
        "step": step,
        "comments": [_shown(request, one, names=names, kept=kept) for one in listed],
        "names": [one.display_name for one in may_be_mentioned(target)],
        "version": sha256(repr(state).encode()).hexdigest()[:16],
        "request_id": str(new_id()),
    }


def _shown(
    request: MemberRequest,
    said: Comment,
    *,
    typed: str | None = None,
    error: AppError | None = None,
    names: Mapping[Any, str] | None = None,
    kept: Collection[UUID] = (),
) -> Shown:
    own = said.author_id == request.user.pk
    there = said.deleted_at is None
    may_edit = own and there and said.agent_id is None
    return Shown(
        comment=said,
        may_edit=may_edit,
        may_delete=there and (own or request.membership.role != Role.MEMBER),
        typed=typed if may_edit else None,
        error=error,
        is_kept=said.pk in kept and there,
        step_name=(names or {}).get(said.step_key, ""),
    )


def _back(request: MemberRequest, said: Comment) -> HttpResponse:
    return go_to(request, address_of_comments(said.target_id, said.step_key, said.pk))
