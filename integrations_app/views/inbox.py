"""The inbox and its bell: pages, fragments and JSON."""

from hashlib import sha256
from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from integrations_app.models import Notification
from integrations_app.services import inbox as verbs
from integrations_app.services.notification_workflows import name_of_category
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import SESSION_KEY, MemberRequest
from one_project.common.errors import NotFound
from one_project.common.pages import wants_json

SHOWN = 30
_VIEWS = {"all": "Inbox", "unread": "Unread", "snoozed": "Snoozed", "archived": "Archived"}


@require_safe
@vary_on_headers("Accept", "HX-Request")
@member_required
def inbox(request: MemberRequest) -> HttpResponse:
    """The page; for htmx its list (``v``: 204 while it is the same; ``after``: older); JSON."""
    return render_list(request)


def render_list(request: MemberRequest) -> HttpResponse:
    """The list in the form that was asked for; what it shows has been seen."""
    view = request.GET.get("show", "all")
    view = view if view in verbs.VIEWS else "all"
    cursor = request.GET.get("after", "")[:80]
    rows = verbs.inbox_of(request.user, request.organisation, view)
    found = list((verbs.after(rows, cursor) if cursor else rows)[: SHOWN + 1])
    shown = found[:SHOWN]
    unread = verbs.unread_count(request.user, request.organisation)
    after = verbs.cursor_of(shown[-1]) if len(found) > SHOWN else ""
    state = [(str(one.pk), one.read_at is None, one.archived_at is None) for one in shown]
    version = sha256(repr((state, unread, after)).encode()).hexdigest()[:16]
    is_fragment = request.headers.get("HX-Request") == "true"
    if is_fragment and request.GET.get("v") == version:
        return HttpResponse(status=204)
    new = {one.pk for one in shown if one.seen_at is None}
    if new and request.method == "GET":
        verbs.mark_seen(request.user, request.organisation, new)
    if wants_json(request):
        return JsonResponse(
            {"unread": unread, "notifications": [as_json(one) for one in shown], "after": after}
        )
    context = {
        "notifications": [_with_category(one) for one in shown],
        "unread": unread,
        "show": view,
        "views": _VIEWS.items(),
        "after": after,
        "cursor": cursor,
        "version": version,
        "snoozes": verbs.SNOOZES.items(),
    }
    page = "notifications/inbox.html"
    if is_fragment:
        page = "notifications/_more.html" if cursor else "notifications/_list.html"
    return render(request, page, context)


@require_safe
@member_required
def bell(request: MemberRequest) -> HttpResponse:
    """The bell; 204 while it shows that number already (``v``)."""
    unread = verbs.unread_count(request.user, request.organisation)
    if wants_json(request):
        return JsonResponse({"unread": unread})
    if request.GET.get("v") == str(unread):
        return HttpResponse(status=204)
    return render(request, "notifications/_bell.html", {"unread": unread, "counted": True})


@require_safe
@member_required
def open_one(request: MemberRequest, notification_id: UUID) -> HttpResponse:
    """Go to what it is about, as a mail's link does, also into another of one's organisations; it
    has been read then."""
    found = verbs.access_own(request.user, notification_id)
    if found.organisation_id != request.organisation.pk:
        request.session[SESSION_KEY] = str(found.organisation_id)
    if request.method == "GET":
        verbs.mark_read(request.user, found.organisation, [found.pk])
    return redirect(verbs.path_of(found.url) or reverse("notifications:inbox"))


@require_POST
@member_required
def read(request: MemberRequest, notification_id: UUID) -> HttpResponse:
    """``unread=1``: not read after all."""
    found = _own(request, notification_id)
    if request.POST.get("unread"):
        verbs.mark_unread(request.user, request.organisation, [found.pk])
    else:
        verbs.mark_read(request.user, request.organisation, [found.pk])
    return answer(request, found)


@require_POST
@member_required
def read_all(request: MemberRequest) -> HttpResponse:
    verbs.mark_read(request.user, request.organisation)
    return answer(request)


@require_POST
@member_required
def archive(request: MemberRequest, notification_id: UUID) -> HttpResponse:
    """``back=1``: into the inbox again."""
    found = _own(request, notification_id)
    back = bool(request.POST.get("back"))
    verbs.archive(request.user, request.organisation, [found.pk], back=back)
    return answer(request, found)


@require_POST
@member_required
def snooze(request: MemberRequest, notification_id: UUID) -> HttpResponse:
    """``until``: hour or tomorrow."""
    found = _own(request, notification_id)
    verbs.snooze(request.user, request.organisation, found, request.POST.get("until", ""))
    return answer(request, found)


def answer(request: MemberRequest, changed: Notification | None = None) -> HttpResponse:
    """The list as it is now for htmx, the row as JSON, else back to the page."""
    if wants_json(request):
        if changed is None:
            unread = verbs.unread_count(request.user, request.organisation)
            return JsonResponse({"unread": unread})
        changed.refresh_from_db()
        return JsonResponse(as_json(changed))
    if request.headers.get("HX-Request") == "true":
        return render_list(request)
    response = redirect(reverse("notifications:inbox"))
    response.status_code = 303
    return response


def _own(request: MemberRequest, notification_id: UUID) -> Notification:
    found = verbs.access_own(request.user, notification_id)
    if found.organisation_id != request.organisation.pk:
        raise NotFound
    return found


def _with_category(one: Notification) -> Notification:
    one.category_name = name_of_category(one.category)  # type: ignore[attr-defined]
    return one


def as_json(one: Notification) -> dict[str, Any]:
    """A line of the inbox for programs; times in UTC."""
    times = ("shown_at", "seen_at", "read_at", "archived_at", "snoozed_until")
    return {
        "id": str(one.pk),
        "title": one.title,
        "body": one.body,
        "url": one.url,
        "category": one.category,
        **{name: value.isoformat() if (value := getattr(one, name)) else None for name in times},
    }
