"""Where a person is reached, and an endpoint as a provider takes it."""

from typing import Final
from uuid import UUID

from integrations_app.models import Endpoint
from integrations_app.providers.base import Provider, Target
from integrations_app.types import EndpointStatus, EndpointType
from one_project.accounts.models import User

BLOCKED: Final = (EndpointStatus.BOUNCED, EndpointStatus.UNSUBSCRIBED)
# Shown with most of it hidden: they are somebody's.
_PRIVATE: Final = (EndpointType.EMAIL, EndpointType.PHONE, EndpointType.WHATSAPP)


def target_of(endpoint: Endpoint) -> Target:
    """The endpoint, opened for one sending. Raises SealBroken."""
    return Target(
        type=EndpointType(endpoint.type),
        address=endpoint.address,
        secret=endpoint.secret,
        name=endpoint.label,
    )


def address_of(
    user: User, organisation_id: UUID, provider: Provider
) -> tuple[Endpoint | None, Target | None]:
    """The person's address for this provider: their newest verified endpoint of a fitting type.

    E-mail falls back to the address they sign in with, then there is a target without an endpoint.
    An endpoint without a target is one that refused earlier messages; neither: they have none.
    """
    found = Endpoint.objects.filter(
        organisation_id=organisation_id, user=user, type__in=list(provider.endpoint_types)
    )
    found = found.select_related("integration").order_by("-verified_at", "-created_at")
    rows = [one for one in found if one.integration_id is None or _is_of(one, provider)]
    for endpoint in rows:
        if endpoint.status == EndpointStatus.ACTIVE:
            return endpoint, target_of(endpoint)
    blocked = [one for one in rows if one.status in BLOCKED]
    if EndpointType.EMAIL in provider.endpoint_types and user.email:
        own = [one for one in blocked if one.address.lower() == user.email.lower()]
        if own:
            return own[0], None
        return None, Target(type=EndpointType.EMAIL, address=user.email, name=str(user))
    return (blocked[0], None) if blocked else (None, None)


def _is_of(endpoint: Endpoint, provider: Provider) -> bool:
    integration = endpoint.integration
    return integration is not None and integration.provider == provider.slug


def shown_address(kind: str, address: str, name: str = "") -> str:
    """As people see it: somebody's address masked, a place by its name."""
    if kind not in _PRIVATE:
        return (name or address)[:320]
    if kind == EndpointType.EMAIL:
        mailbox, _, host = address.partition("@")
        return f"{mailbox[:1]}…@{host}"[:320] if host else "…"
    return f"…{address[-3:]}" if len(address) > 5 else "…"
