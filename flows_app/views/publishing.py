"""Publishing with what it changes, the revisions there were, and moving people between them."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from agents_app.views.answers import go_to
from flows_app.access import access_flow
from flows_app.errors import FlowNotFound
from flows_app.models import Flow, FlowRevision
from flows_app.runtime.actors import Actor
from flows_app.services.copying import discard_draft, draft_from
from flows_app.services.publishing import (
    NONE,
    WHICH,
    impact_of,
    move_targets,
    publish_and_move,
    revision_differences,
)
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, Conflict, InvalidInput
from one_project.common.text import clean_text

# Revisions that the history shows.
HISTORY = 50


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def publish(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """GET shows what publishing the draft changes, and for whom; POST does it."""
    flow = access_flow(request.user, request.organisation, flow_id)
    if flow.draft is None:
        notice = "There is nothing new to publish."
        return go_to(request, reverse("flows:edit", args=[flow.pk]), notice)
    if request.method != "POST":
        return _ask(request, flow, flow.draft)
    try:
        revision, moved = publish_and_move(
            flow,
            by=request.user,
            version=_number(request.POST.get("version", "")),
            which=request.POST.get("which", NONE),
            reason=clean_text(request.POST.get("reason", "")),
        )
    except (InvalidInput, Conflict) as error:
        flow.refresh_from_db()
        if flow.draft is None:
            raise
        return _ask(request, flow, flow.draft, error)
    return go_to(
        request, reverse("flows:flow", args=[flow.pk]), _published(flow, revision.number, moved)
    )


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def move(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """Move who is at work on an older revision to the one that is published."""
    flow = access_flow(request.user, request.organisation, flow_id)
    if flow.published is None:
        raise FlowNotFound
    if request.method != "POST":
        return _ask(request, flow, flow.published)
    try:
        moved = move_targets(
            flow,
            flow.published,
            which=request.POST.get("which", NONE),
            by=Actor(user=request.user),
            reason=clean_text(request.POST.get("reason", "")),
        )
    except InvalidInput as error:
        return _ask(request, flow, flow.published, error)
    notice = f"{_people(moved)} moved to revision {flow.published.number}."
    return go_to(request, reverse("flows:revisions", args=[flow.pk]), notice)


@require_POST
@member_required
def discard(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """Throw the draft away; what is published stays."""
    flow = access_flow(request.user, request.organisation, flow_id)
    discard_draft(flow, by=request.user)
    return go_to(request, reverse("flows:edit", args=[flow.pk]), "The draft is thrown away.")


@require_safe
@member_required
def revisions(request: MemberRequest, flow_id: UUID) -> HttpResponse:
    """Who published what when; ``from`` and ``to`` (numbers) show what differs between two."""
    flow = access_flow(request.user, request.organisation, flow_id)
    rows = list(
        flow.revisions.select_related("published_by", "created_by").order_by("-number")[:HISTORY]
    )
    numbers = {row.number: row for row in rows}
    newest = rows[0] if rows else None
    after = numbers.get(_number(request.GET.get("to", "")) or 0, newest)
    older = [row for row in rows if after and row.number < after.number]
    before = numbers.get(_number(request.GET.get("from", "")) or 0, older[0] if older else None)
    context = {
        "flow": flow,
        "revisions": rows,
        "before": before,
        "after": after,
        "differences": revision_differences(before, after) if after and before else None,
        "elsewhere": flow.targets.active().exclude(revision=flow.published).count()
        if flow.published
        else 0,
    }
    return render(request, "flows/revisions.html", context)


@require_POST
@member_required
def restore_revision(request: MemberRequest, flow_id: UUID, revision_id: UUID) -> HttpResponse:
    """Begin a draft with the steps of this revision."""
    flow = access_flow(request.user, request.organisation, flow_id)
    revision = flow.revisions.filter(pk=revision_id).first()
    if revision is None:
        raise FlowNotFound
    draft_from(flow, revision, by=request.user)
    notice = f"This draft begins with the steps of revision {revision.number}."
    return go_to(request, reverse("flows:edit", args=[flow.pk]), notice)


def _ask(
    request: MemberRequest, flow: Flow, revision: FlowRevision, error: AppError | None = None
) -> HttpResponse:
    context: dict[str, Any] = {
        "flow": flow,
        "revision": revision,
        "publishing": revision.published_at is None,
        "impact": impact_of(flow, revision),
        "which": WHICH.items(),
        "chosen": request.POST.get("which", NONE),
        "reason": clean_text(request.POST.get("reason", "")),
        "problem": error.user_message if error else "",
        "problems": list(getattr(error, "problems", {}).values()),
    }
    return render(request, "flows/publish.html", context, status=error.status if error else 200)


def _published(flow: Flow, number: int, moved: int) -> str:
    told = f"“{flow.name}” is published as revision {number}."
    return f"{told} {_people(moved)} moved to it." if moved else told


def _people(number: int) -> str:
    return f"{number:,} assignment{' was' if number == 1 else 's were'}"


def _number(text: str) -> int | None:
    # isdecimal also knows other scripts' digits, which int() reads.
    return int(text) if text.isdecimal() and len(text) < 9 else None
