"""Inbound hooks: the address that programs call, and the pages of those who set them up."""

from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from integrations_app.access import access_hook, is_admin_of
from integrations_app.forms.programs import HookForm
from integrations_app.models import HookTarget, InboundEvent, InboundHook
from integrations_app.providers.base import Request
from integrations_app.services.hooks import (
    change_hook,
    create_hook,
    remove_hook,
    rotate_secret,
    switch_hook,
    target_of,
)
from integrations_app.services.inbound import MAX_BODY, find_hook, receive
from integrations_app.views.answers import complain, go_to
from integrations_app.views.api import TooMuch, check_size, problem
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.common.errors import AppError, NotFound

LISTED: Final = 100
EVENTS: Final = 30


class EventTooLarge(TooMuch):
    user_message = f"An event has at most {MAX_BODY:,} bytes."


@csrf_exempt
def inbound(request: HttpRequest, hook_id: UUID) -> HttpResponse:
    """Take a signed event: 202 as soon as it is kept; the same one again is 202, too."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    try:
        check_size(request, MAX_BODY, EventTooLarge())
        hook = find_hook(hook_id)
        receipt = receive(hook, _as_it_came(request))
    except AppError as error:
        return problem(error)
    if receipt.challenge:
        return JsonResponse({"challenge": receipt.challenge})
    event_id = str(receipt.event.pk) if receipt.event else None
    return JsonResponse({"id": event_id, "duplicate": not receipt.is_new}, status=202)


def _as_it_came(request: HttpRequest) -> Request:
    return Request(
        method="POST",
        url=request.build_absolute_uri(),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body,
        received_at=timezone.now(),
    )


# --- Pages --------------------------------------------------------------------------------------


@sensitive_post_parameters("secret")
@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def hooks_in(request: MemberRequest) -> HttpResponse:
    """All hooks of the person (admins: of the organisation); POST makes one and shows its secret,
    this once."""
    if request.method != "POST":
        return _page(request, HookForm(membership=request.membership))
    form, status = HookForm(request.POST, membership=request.membership), 422
    if form.is_valid():
        try:
            hook, secret = create_hook(request.organisation, by=request.user, values=form.values())
        except AppError as error:
            status = complain(form, error)
        else:
            return _shown(request, hook, secret)
    return _page(request, form, status=status)


def _page(request: MemberRequest, form: HookForm, *, status: int = 200) -> HttpResponse:
    rows = InboundHook.objects.filter(organisation=request.organisation).select_related("user")
    if not is_admin_of(request.user, request.organisation):
        rows = rows.filter(user=request.user)
    context = {"hooks": rows.order_by("name")[:LISTED], "form": form}
    return render(request, "connections/hooks.html", context, status=status)


@sensitive_variables("secret")
def _shown(request: MemberRequest, hook: InboundHook, secret: str) -> HttpResponse:
    context = {"hook": hook, "secret": secret, "address": _address(request, hook)}
    return render(request, "connections/hooks_secret.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def hook(request: MemberRequest, hook_id: UUID) -> HttpResponse:
    """One hook with its last events; POST changes what it starts (its person only)."""
    row = access_hook(request.user, request.organisation, hook_id)
    is_mine = row.user_id == request.user.pk
    data = request.POST if request.method == "POST" and is_mine else None
    form = HookForm(data, membership=request.membership, hook=row) if is_mine else None
    status = 200
    if form is not None and data is not None:
        status = 422
        if form.is_valid():
            try:
                change_hook(row, by=request.user, values=form.values())
            except AppError as error:
                status = complain(form, error)
            else:
                return go_to(request, reverse("connections:hook", args=[row.pk]), "Saved.")
    context: dict[str, Any] = {
        "hook": row,
        "form": form,
        "address": _address(request, row),
        "starts": _starts(row),
        "events": InboundEvent.objects.filter(hook=row).order_by("-created_at")[:EVENTS],
    }
    return render(request, "connections/hooks_one.html", context, status=status)


def _starts(row: InboundHook) -> str:
    """What it starts, in words."""
    target = target_of(row.target)
    label = HookTarget(row.target).label
    if target is None:
        return label
    chosen = row.config.get(target.config, "")
    names = dict(target.choices(row.user, row.organisation))
    return f"{label}: {names.get(chosen, 'not there any more')}"


@require_POST
@member_required
def switch(request: MemberRequest, hook_id: UUID) -> HttpResponse:
    """``active`` "1" lets it go on, anything else pauses it."""
    row = access_hook(request.user, request.organisation, hook_id)
    is_active = request.POST.get("active") == "1"
    switch_hook(row, by=request.user, is_active=is_active)
    notice = "Events are taken again." if is_active else "Paused. Events are refused meanwhile."
    return go_to(request, reverse("connections:hook", args=[row.pk]), notice)


@sensitive_post_parameters("secret")
@sensitive_variables("secret")
@require_POST
@member_required
def rotate(request: MemberRequest, hook_id: UUID) -> HttpResponse:
    """Another secret, shown this once; for Slack the one that Slack shows.

    Only to whom the hook belongs: who has it acts with that person's rights.
    """
    row = access_hook(request.user, request.organisation, hook_id)
    if row.user_id != request.user.pk:
        raise NotFound
    secret = rotate_secret(row, by=request.user, secret=request.POST.get("secret", ""))
    return _shown(request, row, secret)


@require_POST
@member_required
def remove(request: MemberRequest, hook_id: UUID) -> HttpResponse:
    row = access_hook(request.user, request.organisation, hook_id)
    remove_hook(row, by=request.user)
    return go_to(request, reverse("connections:hooks_in"), f"Removed “{row.name}”.")


def _address(request: MemberRequest, row: InboundHook) -> str:
    return request.build_absolute_uri(reverse("hooks:inbound", args=[row.pk]))
