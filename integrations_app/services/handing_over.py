"""A step that goes to somebody through a provider: its words, its way, its delivery."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from integrations_app.errors import UnknownProvider
from integrations_app.models import Channel, Delivery, Endpoint, Integration, Notification
from integrations_app.providers.base import Content, Target
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.addressing import address_of, target_of
from integrations_app.runtime.routing import route
from integrations_app.runtime.step_kinds import Chat, Email, Push, Sms, Webhook
from integrations_app.runtime.templates import as_html, render
from integrations_app.services.deliveries import queue_delivery
from integrations_app.services.ending import SOURCE
from integrations_app.services.inbox import path_of
from integrations_app.services.preferences import unsubscribe_token
from integrations_app.types import Reason
from one_project.common.text import clean_line

AnyChannelStep = Email | Sms | Chat | Push | Webhook


def hand_over(
    row: Notification, one: AnyChannelStep, facts: dict[str, Any], missing: list[str]
) -> tuple[Reason, str, Delivery | None]:
    """Queue the delivery of a step: why (not), in words, and the delivery if there is one.

    ``missing`` gets the places of its texts that stayed empty. Raises AppError.
    """
    channel = None
    if one.channel:
        channel = Channel.objects.filter(
            organisation=row.organisation_id, key=one.channel, channel_type=one.channel_type
        ).first()
        if channel is None:
            return Reason.NO_INTEGRATION, f"There is no channel {one.channel}.", None
    way = route(row.organisation, one.channel_type, user=row.by, channel=channel, facts=facts)
    if not way.integrations:
        return way.reason or Reason.NO_INTEGRATION, "", None
    blocked = False
    for place, integration in enumerate(way.integrations):
        endpoint, target = _address(row, one, integration, way.places.get(integration.pk))
        if endpoint is not None and target is None:
            blocked = True
        if target is None:
            continue
        delivery = queue_delivery(
            row.organisation_id,
            content=content_of(row, one, facts, missing),
            channel_type=one.channel_type,
            integration_id=integration.pk,
            fallbacks=[other.pk for other in way.integrations[place + 1 :]],
            channel=channel,
            endpoint=endpoint,
            target=None if endpoint else target,
            user=row.user,
            by=row.by,
            source=SOURCE,
            source_id=row.pk,
            step=one.id,
            notification=row,
            idempotency_key=f"{row.pk}:{one.id}",
        )
        return Reason.TRIGGERED, f"Goes through “{integration.name[:80]}”.", delivery
    return (Reason.ADDRESS_BLOCKED if blocked else Reason.NO_ADDRESS), "", None


def _address(
    row: Notification, one: AnyChannelStep, integration: Integration, fixed: Endpoint | None
) -> tuple[Endpoint | None, Target | None]:
    """Where it goes: the fixed place of the route, the person's own address, or for webhooks the
    only place of the integration."""
    if fixed is not None:
        return fixed, target_of(fixed)
    try:
        provider = provider_of(integration.provider)
    except UnknownProvider:
        return None, None
    found: tuple[Endpoint | None, Target | None] = (None, None)
    if row.user is not None and not isinstance(one, Webhook):
        found = address_of(row.user, row.organisation_id, provider)
    elif isinstance(one, Webhook):
        place = Endpoint.objects.filter(integration=integration, user=None).order_by("created_at")
        if (endpoint := place.first()) is not None:
            found = endpoint, target_of(endpoint)
    return found


def content_of(
    row: Notification, one: AnyChannelStep, facts: dict[str, Any], missing: list[str]
) -> Content:
    """The words of a step, filled in; mails say how to get no more of them."""

    def filled(text: str) -> str:
        return render(text, facts, missing=missing)

    url = _link(row, one, facts)
    if isinstance(one, Email):
        return _mail(row, one, facts, missing, url)
    if isinstance(one, Push):
        title = clean_line(filled(one.title), 120)
        return Content(subject=title, text=filled(one.body)[:500] or title, url=url)
    if isinstance(one, Webhook):
        data = {
            "notification": str(row.pk),
            "workflow": row.workflow,
            "user": str(row.user_id or ""),
            "payload": row.payload,
        }
        return Content(text=filled(one.text), url=url, data=data)
    text = filled(one.text).strip()
    if url and isinstance(one, Sms):
        text = f"{text} {url}"
    return Content(text=text, url=url)


def _mail(
    row: Notification, one: Email, facts: dict[str, Any], missing: list[str], url: str
) -> Content:
    text = render(one.body, facts, missing=missing).strip()
    html = render(one.html, facts, missing=missing, escape=as_html)
    if url:
        text += f"\n\n{url}"
    data: dict[str, Any] = {}
    if not row.is_critical and row.user_id is not None:
        off = unsubscribe_address(row.user_id, row.organisation_id, row.category)
        data["list_unsubscribe"] = off
        text += f"\n\n-- \nNo more mails of this kind: {off}"
        if html:
            html += f'<p><a href="{as_html(off)}">No more mails of this kind</a></p>'
    subject = clean_line(render(one.subject, facts, missing=missing), 200)
    return Content(subject=subject or row.workflow, text=text, html=html, url=url, data=data)


def unsubscribe_address(user_id: UUID, organisation_id: UUID, category: str) -> str:
    """Absolute; see ``preferences.unsubscribe_token``."""
    token = unsubscribe_token(user_id, organisation_id, category)
    return _absolute(reverse("notifications:unsubscribe", args=[token]))


def _link(row: Notification, one: AnyChannelStep, facts: dict[str, Any]) -> str:
    """To where it leads, by way of its own address: who follows it has read it. "" for nowhere."""
    url = path_of(render(one.url, facts)) if one.url else row.url
    if not url:
        return ""
    if url != row.url:
        row.url = url
        row.save(update_fields=["url", "updated_at"])
    return _absolute(reverse("notifications:open", args=[row.pk]))


def _absolute(path: str) -> str:
    return f"{settings.ONE_URL.rstrip('/')}{path}"
