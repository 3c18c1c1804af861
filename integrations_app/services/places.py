"""Places behind an integration: where it may send to. What is a key by itself is sealed."""

import re
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from integrations_app.errors import InvalidSettings
from integrations_app.models import Endpoint, Integration
from integrations_app.providers.destinations import check_address
from integrations_app.providers.registry import provider_of
from integrations_app.types import EndpointStatus, EndpointType
from one_project.accounts.models import User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, NotFound
from one_project.common.ids import parse_id
from one_project.common.text import clean_line

MAX_PLACES: Final = 200

# Their address is a key by itself: whoever knows it may post there.
SECRET_TYPES: Final = (
    EndpointType.DISCORD_WEBHOOK,
    EndpointType.TEAMS_WEBHOOK,
    EndpointType.WEBHOOK,
)
_PHONE: Final = re.compile(r"^\+[1-9]\d{6,14}$")
_SLACK_CHANNEL: Final = re.compile(r"^(#[^\s#]{1,80}|[CGD][A-Z0-9]{6,20})$")
_TELEGRAM: Final = re.compile(r"^(-?\d{3,20}|@[A-Za-z0-9_]{4,32})$")


def add_place(
    integration: Integration, *, by: User, kind: str, address: str, label: str = ""
) -> Endpoint:
    """A place this integration posts to; by that it is known to work for nobody else.

    Raises InvalidSettings (``address``, ``label``), BadAddress, AddressRefused, Conflict.
    """
    provider = provider_of(integration.provider)
    if kind not in provider.endpoint_types:
        raise InvalidSettings({"kind": "This integration does not send there."})
    address = checked_address(kind, address)
    label = clean_line(label, 120)
    is_secret = kind in SECRET_TYPES
    if is_secret and not label:
        raise InvalidSettings({"label": "Please give it a name; its address is not shown again."})
    mark = fingerprint(integration.organisation_id, kind, address) if is_secret else ""
    row = Endpoint(
        organisation=integration.organisation,
        integration=integration,
        type=kind,
        address=_named(address) if is_secret else address,
        fingerprint=mark,
        label=label,
        status=EndpointStatus.ACTIVE,
        meta={"added_by": str(by.pk)},
    )
    if is_secret:
        row.secret = {"url": address}
    with transaction.atomic():
        Integration.objects.select_for_update(of=("self",)).get(pk=integration.pk)
        if Endpoint.objects.filter(integration=integration).count() >= MAX_PLACES:
            raise Conflict(f"An integration has at most {MAX_PLACES} places.")
        insert(row)
        record(row, "endpoint_added", by)
    return row


def checked_address(kind: str, address: str) -> str:
    """The address in the form its type has. Raises InvalidSettings, BadAddress, AddressRefused."""
    address = clean_line(address, 2_001)
    problem = ""
    if kind == EndpointType.EMAIL:
        try:
            validate_email(address)
        except ValidationError:
            problem = "This is not an e-mail address."
    elif kind in (EndpointType.PHONE, EndpointType.WHATSAPP):
        address = re.sub(r"[\s()./-]", "", address)
        if not _PHONE.match(address):
            problem = "Please write it with the country, like +49 170 1234567."
    elif kind == EndpointType.SLACK_CHANNEL and not _SLACK_CHANNEL.match(address):
        problem = "A name like #general, or an id like C0123456789."
    elif kind == EndpointType.TELEGRAM_CHAT and not _TELEGRAM.match(address):
        problem = "A number, or a name like @channel."
    elif kind in SECRET_TYPES:
        check_address(address)
    elif not address:
        problem = "Please fill this in."
    if problem or len(address) > (2_000 if kind in SECRET_TYPES else 320):
        raise InvalidSettings({"address": problem or "This is too long."})
    return address


def fingerprint(organisation_id: UUID, kind: str, secret: str) -> str:
    """Tells whether a secret address is known already, without opening the others."""
    value = f"{organisation_id}:{kind}:{secret}"
    return salted_hmac("endpoint", value, algorithm="sha256").hexdigest()


def _named(url: str) -> str:
    """A secret address as it may be shown: its host, and the last letters."""
    host = url.partition("://")[2].partition("/")[0]
    return f"{host}/••••{url[-4:]}"[:320] if len(url) > 24 else f"{host}/••••"[:320]


@transaction.atomic
def remove_endpoint(row: Endpoint, *, by: User) -> None:
    """Nothing is sent there any more; what was sent stays on record."""
    record(row, "endpoint_removed", by)
    row.delete()


def access_place(integration: Integration, endpoint_id: UUID | str | None) -> Endpoint:
    """A place of an integration that the caller may change. Raises NotFound."""
    wanted = parse_id(endpoint_id)
    found = wanted and Endpoint.objects.filter(integration=integration, pk=wanted).first()
    if not found:
        raise NotFound
    return found


def insert(row: Endpoint) -> None:
    """Raises InvalidSettings where it is there already."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise InvalidSettings({"address": "This is there already."}) from None


def record(row: Endpoint, kind: str, by: User) -> None:
    """Into the event log."""
    # Without the address: events are kept, and it may be somebody's.
    target = f"endpoint:{row.pk}"
    record_event(row.organisation, kind, actor=by, target=target, data={"type": row.type})
