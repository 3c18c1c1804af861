"""Browsers that a person lets us push to."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from integrations_app.errors import NotUsable
from integrations_app.models import Endpoint, Integration
from integrations_app.providers.web_push.forms import checked_subscription, public_key
from integrations_app.services.endpoints import MAX_OWN
from integrations_app.services.places import fingerprint
from integrations_app.types import EndpointStatus, EndpointType
from one_project.accounts.access import access_membership
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict


def push_key(integration: Integration) -> str:
    """What browsers subscribe with, as base64url; it is no secret. Raises NotUsable."""
    private = integration.credentials.get("vapid_key", "")
    if integration.provider != "web_push" or not private:
        raise NotUsable("This integration does not push to browsers.")
    return public_key(private)


def add_browser(
    user: User, integration: Integration, subscription: Mapping[str, Any], *, label: str = ""
) -> Endpoint:
    """The person's browser as an address of theirs; one that is known is switched on again.

    subscription: as ``PushSubscription.toJSON()`` gives it. integration: one that the caller may
    use (``access_integration``). Raises InvalidSettings, BadAddress, AddressRefused, NotUsable,
    Conflict.
    """
    if integration.provider != "web_push" or not integration.is_usable:
        raise NotUsable
    access_membership(user, integration.organisation)
    # Looks the name up, so before the transaction.
    secret = checked_subscription(subscription)
    url = secret["endpoint"]
    known: dict[str, Any] = {
        "organisation": integration.organisation,
        "user": user,
        "integration": integration,
        "type": EndpointType.WEB_PUSH,
        "fingerprint": fingerprint(integration.organisation_id, EndpointType.WEB_PUSH, url),
    }
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        row = Endpoint.objects.filter(**known).first()
        own = Endpoint.objects.filter(organisation=integration.organisation, user=user)
        if row is None and own.count() >= MAX_OWN:
            raise Conflict(f"You have {MAX_OWN} addresses; please remove one first.")
        row = row or Endpoint(**known)
        row.address = urlsplit(url).netloc[:320]
        row.secret = secret
        row.label = label[:120] or row.label or "Browser"
        row.status, row.verified_at = EndpointStatus.ACTIVE, timezone.now()
        row.save()
        record_event(
            integration.organisation,
            "endpoint_added",
            actor=user,
            target=f"endpoint:{row.pk}",
            data={"type": row.type},
        )
    return row
