"""What the person is told: the list, how many are new, and how they want to be told."""

from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from chat_app.views.answers import go_to, is_htmx
from flows_app.forms.talk import WishesForm
from flows_app.models import Notice
from flows_app.services.notices import access_notice, count_unread, list_notices, mark_read
from flows_app.services.wishes import set_wishes, wish_of
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import SESSION_KEY, MemberRequest
from one_project.common.pages import wants_json

SHOWN = 50
# Notices beyond these are old enough to be looked for elsewhere.
MOST = 500


@require_safe
@vary_on_headers("Accept", "HX-Request")
@member_required
def notices(request: MemberRequest) -> HttpResponse:
    """The page, those not read first; the list alone for htmx (``v``: 204 while nothing changed);
    or JSON. ``limit``: how many."""
    limit = _limit(request)
    found = list_notices(request.user, request.organisation, limit + 1)
    unread = count_unread(request.user, request.organisation)
    if wants_json(request):
        return JsonResponse({"unread": unread, "notices": [_as_json(one) for one in found[:limit]]})
    state = [(str(one.pk), one.read_at is None) for one in found]
    context = {
        "notices": found[:limit],
        "unread": unread,
        "limit": limit,
        "more": min(limit + SHOWN, MOST) if len(found) > limit and limit < MOST else 0,
        "version": sha256(repr((state, unread)).encode()).hexdigest()[:16],
    }
    if is_htmx(request) and request.GET.get("v"):
        if request.GET["v"] == context["version"]:
            return HttpResponse(status=204)
        return render(request, "lessons/_notices.html", context)
    return render(request, "lessons/notices.html", context)


@require_safe
@member_required
def notice(request: MemberRequest, notice_id: UUID) -> HttpResponse:
    """Go to what it is about, as a mail's link does, also into another of one's organisations; it
    has been read then."""
    found = access_notice(request.user, notice_id)
    if found.organisation_id != request.organisation.pk:
        request.session[SESSION_KEY] = str(found.organisation_id)
    mark_read(request.user, found.organisation, [found.pk])
    return redirect(found.url)


@require_POST
@member_required
def read_notice(request: MemberRequest, notice_id: UUID) -> HttpResponse:
    found = access_notice(request.user, notice_id)
    mark_read(request.user, found.organisation, [found.pk])
    return go_to(request, "/lessons/notices/")


@require_POST
@member_required
def read_all(request: MemberRequest) -> HttpResponse:
    mark_read(request.user, request.organisation)
    return go_to(request, "/lessons/notices/")


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def wishes(request: MemberRequest) -> HttpResponse:
    """When and how the person is told in this organisation."""
    wish = wish_of(request.user, request.organisation)
    sent = request.POST if request.method == "POST" else None
    form = WishesForm(sent, wish=wish, person=request.user)
    if form.is_valid():
        set_wishes(request.user, request.organisation, now=timezone.now(), **form.cleaned_data)
        messages.success(request, "Saved. This is how you are told from now on.")
        return go_to(request, "/lessons/wishes/")
    context = {"form": form, "zones": sorted(available_timezones())}
    return render(request, "lessons/wishes.html", context, status=422 if form.errors else 200)


def _limit(request: MemberRequest) -> int:
    asked = request.GET.get("limit", "")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 5 else SHOWN
    return max(1, min(number, MOST))


def _as_json(one: Notice) -> dict[str, Any]:
    return {
        "id": str(one.pk),
        "kind": one.kind,
        "text": one.text,
        "url": one.url,
        "at": one.created_at.isoformat(),
        "read_at": one.read_at.isoformat() if one.read_at else None,
    }
