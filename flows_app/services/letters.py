"""Letters through the organisation's own e-mail integration, where it has one.

The letter becomes a delivery: tried again, failed over and shown like all others. Without an active
integration, or when there is no address for it, it goes the operator's way (``mailing``).
"""

from django.db import transaction

from flows_app.services.mailing import Letter, register_channel
from integrations_app.models import Delivery
from integrations_app.providers.base import Content
from integrations_app.providers.registry import provider_of
from integrations_app.runtime.addressing import address_of
from integrations_app.runtime.routing import route
from integrations_app.services.deliveries import queue_delivery
from integrations_app.services.handing_over import unsubscribe_address
from integrations_app.services.notification_workflows import LESSONS
from integrations_app.services.preferences import wants
from integrations_app.types import ChannelType
from one_project.accounts.models import Organisation, User

SOURCE = "letter"


@register_channel
def through_integration(letter: Letter) -> bool:
    """True: it has been queued, or is not wanted. The same letter again is the same delivery."""
    if not wants(letter.user_id, letter.organisation_id, LESSONS, ChannelType.EMAIL):
        return True
    key = f"{SOURCE}:{letter.key}"
    if Delivery.objects.filter(organisation=letter.organisation_id, idempotency_key=key).exists():
        return True
    organisation = Organisation.objects.get(pk=letter.organisation_id)
    user = User.objects.get(pk=letter.user_id)
    way = route(organisation, ChannelType.EMAIL)
    if way.first is None:
        return False
    endpoint, target = address_of(user, organisation.pk, provider_of(way.first.provider))
    if target is None:
        # Blocked: its server has refused mails for good, ours would be refused as well.
        return endpoint is not None
    off = unsubscribe_address(user.pk, organisation.pk, LESSONS)
    with transaction.atomic():
        queue_delivery(
            organisation.pk,
            content=Content(
                subject=letter.subject,
                text=f"{letter.text.rstrip()}\n\nNo more mails of this kind: {off}\n",
                url=letter.url,
                data={"list_unsubscribe": off},
            ),
            channel_type=ChannelType.EMAIL,
            integration_id=way.first.pk,
            fallbacks=way.fallbacks,
            endpoint=endpoint,
            target=None if endpoint else target,
            user=user,
            source=SOURCE,
            source_id=letter.key,
            idempotency_key=key,
        )
    return True
