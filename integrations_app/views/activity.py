"""What was sent and told: the list, one delivery, the way of one notification."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from integrations_app.access import access_delivery, is_admin_of, visible_notifications
from integrations_app.models import Delivery, Integration
from integrations_app.runtime.activity import (
    CHANNELS,
    STATUSES,
    TIMES,
    Asked,
    activity,
    reads_text,
    version_of,
)
from integrations_app.services import deliveries
from integrations_app.types import DeliveryStatus
from integrations_app.views.answers import go_to
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import User
from one_project.common.errors import InvalidInput, NotFound
from one_project.common.ids import parse_id
from one_project.common.text import clean_line

CURSOR_LIMIT = 300


@require_safe
@member_required
def activity_list(request: MemberRequest) -> HttpResponse:
    """The page: filters, and the lines."""
    asked = _asked(request)
    context = _lines(request, asked)
    admin = is_admin_of(request.user, request.organisation)
    context |= {
        "channels": CHANNELS,
        "statuses": STATUSES,
        "times": [(value, label) for value, (label, _) in TIMES.items()],
        "integrations": Integration.objects.usable_by(request.user, request.organisation).order_by(
            "name"
        )[:200],
        "people": _people(request) if admin else [],
    }
    return render(request, "connections/activity.html", context)


@require_safe
@member_required
def activity_live(request: MemberRequest) -> HttpResponse:
    """The lines as they are now; 204 while they are what the page shows."""
    context = _lines(request, _asked(request))
    if request.GET.get("v") == context["page"].version:
        return HttpResponse(status=204)
    return render(request, "connections/_activity.html", context)


def _lines(request: MemberRequest, asked: Asked) -> dict[str, Any]:
    cursor = request.GET.get("cursor") or None
    if cursor is not None and len(cursor) > CURSOR_LIMIT:
        raise InvalidInput("This page link is not valid. Please reload the page.")
    page = activity(request.user, request.organisation, asked, cursor)
    query = request.GET.copy()
    for own in ("v", "cursor"):
        query.pop(own, None)
    return {"asked": asked, "page": page, "query": query.urlencode(), "is_first": cursor is None}


def _asked(request: MemberRequest) -> Asked:
    def word(name: str) -> str:
        return clean_line(request.GET.get(name), 20)

    return Asked(
        kind=word("kind"),
        channel=word("channel"),
        status=word("status"),
        time=word("time"),
        person=parse_id(request.GET.get("person")),
        integration=parse_id(request.GET.get("integration")),
    )


def _people(request: MemberRequest) -> list[User]:
    people = User.objects.filter(memberships__organisation=request.organisation).distinct()
    return list(people.order_by("name", "email")[:500])


@require_safe
@member_required
def delivery_page(request: MemberRequest, delivery_id: UUID) -> HttpResponse:
    """Every attempt of one message, and what was told of it later."""
    delivery = access_delivery(request.user, request.organisation, delivery_id)
    context = _delivery(request, delivery)
    return render(request, "connections/delivery.html", context)


@require_safe
@member_required
def delivery_live(request: MemberRequest, delivery_id: UUID) -> HttpResponse:
    """The changing part of that page; 204 while it is what the page shows."""
    delivery = access_delivery(request.user, request.organisation, delivery_id)
    context = _delivery(request, delivery)
    if request.GET.get("v") == context["version"]:
        return HttpResponse(status=204)
    return render(request, "connections/_delivery.html", context)


def _delivery(request: MemberRequest, delivery: Delivery) -> dict[str, Any]:
    attempts = list(delivery.attempts.select_related("integration").order_by("number"))
    events = list(delivery.events.order_by("created_at")[:100])
    reads = reads_text(request.user, delivery)
    own = delivery.user_id == request.user.pk or delivery.by_id == request.user.pk
    return {
        "delivery": delivery,
        "attempts": attempts,
        "events": events,
        "text": delivery.content if reads else None,
        "to": (delivery.address if own else "") or delivery.to,
        "may_cancel": delivery.status == DeliveryStatus.QUEUED,
        "may_send_again": delivery.status in deliveries.AGAIN,
        "version": version_of(delivery, attempts, events),
    }


@require_POST
@member_required
def cancel(request: MemberRequest, delivery_id: UUID) -> HttpResponse:
    delivery = access_delivery(request.user, request.organisation, delivery_id)
    deliveries.cancel(delivery, by=request.user)
    address = reverse("connections:delivery", args=[delivery.pk])
    return go_to(request, address, "It is not sent.")


@require_POST
@member_required
def send_again(request: MemberRequest, delivery_id: UUID) -> HttpResponse:
    delivery = access_delivery(request.user, request.organisation, delivery_id)
    made = deliveries.send_again(delivery, by=request.user)
    address = reverse("connections:delivery", args=[made.pk])
    return go_to(request, address, "This is the new message.")


@require_safe
@member_required
def notification_way(request: MemberRequest, notification_id: UUID) -> HttpResponse:
    """What happened to one notification, line by line."""
    rows = visible_notifications(request.user, request.organisation)
    notification = rows.select_related("user", "by").filter(pk=notification_id).first()
    if notification is None:
        raise NotFound
    events = notification.events.select_related("delivery").order_by("created_at", "pk")[:500]
    is_own = request.user.pk in (notification.user_id, notification.by_id)
    context = {"notification": notification, "events": events, "reads": is_own}
    return render(request, "connections/notification.html", context)
