"""Work that changes hands: to somebody else, all of a person's, and back into its queue."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from agents_app.views.answers import complain, go_to
from flows_app.access import access_person, access_target, require_staff
from flows_app.errors import LessonNotFound
from flows_app.forms.changing_hands import GiveForm
from flows_app.runtime.actors import Actor
from flows_app.services import claiming
from flows_app.services.reassigning import open_work, reassign, reassign_person
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError
from one_project.common.ids import parse_id


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def give(request: MemberRequest, target_id: UUID) -> HttpResponse:
    """Give one row to somebody else, who goes on where it stands."""
    require_staff(request.user, request.organisation, LessonNotFound)
    target = access_target(request.user, request.organisation, target_id)
    form = GiveForm(request.organisation, request.user, request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                new = reassign(
                    target,
                    by=Actor(user=request.user),
                    reason=form.cleaned_data["reason"],
                    **form.chosen(),
                )
                notice = f"{new.assignee_name} goes on with “{target.flow.name}”."
                address = reverse("flows:assignment", args=[target.lesson_id])
                return go_to(request, address, notice)
            except AppError as error:
                status = complain(form, error)
    context = {"form": form, "target": target, "lesson": target.lesson}
    return render(request, "flows/assignment_give.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def give_all(request: MemberRequest, user_id: UUID) -> HttpResponse:
    """Give all open work of a person (what is ticked of it) to somebody else."""
    member = access_person(request.user, request.organisation, user_id)
    rows = open_work(request.organisation, member.user)
    form = GiveForm(request.organisation, request.user, request.POST or None)
    ticked = {key for key in map(parse_id, request.POST.getlist("target")) if key}
    chosen = ticked if request.method == "POST" else {one.pk for one in rows}
    context: dict[str, Any] = {"form": form, "who": member.user, "rows": rows, "chosen": chosen}
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                handed = reassign_person(
                    request.organisation,
                    member.user,
                    by=Actor(user=request.user),
                    reason=form.cleaned_data["reason"],
                    only=list(chosen),
                    **form.chosen(),
                )
            except AppError as error:
                status = complain(form, error)
            else:
                if not handed.kept:
                    notice = f"{len(handed.targets)} given to somebody else."
                    address = reverse("flows:person", args=[member.user_id])
                    return go_to(request, address, notice)
                status = 200
                context |= {
                    "handed": handed,
                    "rows": open_work(request.organisation, member.user),
                }
    return render(request, "flows/assignment_give_all.html", context, status=status)


@require_POST
@member_required
def unclaim(request: MemberRequest, target_id: UUID) -> HttpResponse:
    """Put work back into its queue."""
    target = access_target(request.user, request.organisation, target_id)
    claiming.unclaim(target, by=request.user)
    notice = f"“{target.flow.name}” is back in its queue."
    return go_to(request, reverse("lessons:mine"), notice)
