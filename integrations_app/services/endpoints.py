"""Where a person is reached.

An e-mail address or phone number is theirs once they have typed the code that was sent to it. The
code is kept as a keyed hash, for 15 minutes and five tries.
"""

import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from integrations_app.errors import InvalidSettings, NotUsable
from integrations_app.models import Delivery, Endpoint
from integrations_app.providers.base import Content, Target
from integrations_app.runtime.routing import route
from integrations_app.services.deliveries import queue_delivery
from integrations_app.services.places import checked_address, insert, record
from integrations_app.types import ChannelType, DeliveryStatus, EndpointStatus, EndpointType
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, User
from one_project.common.errors import AppError, Conflict, InvalidInput, NotFound
from one_project.common.ids import parse_id
from one_project.common.text import clean_line

MAX_OWN: Final = 20
CODE_LASTS: Final = timedelta(minutes=15)
CODE_REST: Final = timedelta(seconds=60)
CODES_A_DAY: Final = 5
TRIES: Final = 5

# What a person may say of themselves, and the channel that carries the code.
OWN_TYPES: Final[dict[str, ChannelType]] = {
    EndpointType.EMAIL: ChannelType.EMAIL,
    EndpointType.PHONE: ChannelType.SMS,
}


class CodeRefused(InvalidInput):
    """A code that is wrong, too old, or tried too often."""

    code = "code_refused"
    user_message = "This code is not right. Please look again, or have another one sent."


def own_addresses(user: User, organisation: Organisation) -> list[Endpoint]:
    """Where the person is reached, as they see it."""
    rows = Endpoint.objects.filter(organisation=organisation, user=user)
    return list(rows.select_related("integration").order_by("type", "created_at"))


def access_own_address(
    user: User, organisation: Organisation, endpoint_id: UUID | str | None
) -> Endpoint:
    """Raises NotFound."""
    wanted = parse_id(endpoint_id)
    rows = Endpoint.objects.filter(organisation=organisation, user=user)
    found = wanted and rows.filter(pk=wanted).first()
    if not found:
        raise NotFound
    return found


def add_own_address(
    user: User, organisation: Organisation, *, kind: str, address: str, label: str = ""
) -> Endpoint:
    """An address of the person, with a code on its way to it.

    Raises InvalidSettings, Conflict, and where nothing can be sent NotUsable.
    """
    access_membership(user, organisation)
    if kind not in OWN_TYPES:
        raise InvalidSettings({"kind": "Please choose what it is."})
    address = checked_address(kind, address)
    row = Endpoint(
        organisation=organisation,
        user=user,
        type=kind,
        address=address,
        label=clean_line(label, 120),
    )
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        own = Endpoint.objects.filter(organisation=organisation, user=user)
        if own.count() >= MAX_OWN:
            raise Conflict(f"You have {MAX_OWN} addresses already; remove one first.")
        insert(row)
        record(row, "endpoint_added", user)
        _send_code(row, user)
    return row


@transaction.atomic
def send_code_again(row: Endpoint, *, user: User) -> None:
    """Another code; the earlier ones stop to count. Raises Conflict where it is too soon."""
    kept = Endpoint.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if kept.status != EndpointStatus.UNVERIFIED:
        raise Conflict("This address is verified already.")
    _send_code(kept, user)


def _send_code(row: Endpoint, user: User) -> None:
    now = timezone.now()
    held = row.meta.get("code") or {}
    day = now - timedelta(days=1)
    sent = [one for one in held.get("sent", []) if datetime.fromisoformat(one) > day]
    if sent and datetime.fromisoformat(sent[-1]) > now - CODE_REST:
        raise Conflict("A code has just been sent. Please wait a minute.")
    # Also of addresses that were removed again.
    today = Delivery.objects.filter(
        organisation_id=row.organisation_id,
        user=user,
        source="code",
        created_at__gt=now - timedelta(days=1),
    )
    if len(sent) >= CODES_A_DAY or today.count() >= 2 * CODES_A_DAY:
        raise Conflict("Enough codes were sent today. Please try again tomorrow.")
    code = f"{secrets.randbelow(1_000_000):06d}"
    row.meta = {
        **row.meta,
        "code": {
            "hash": _code_hash(row, code),
            "until": (now + CODE_LASTS).isoformat(),
            "tries": 0,
            "sent": [*sent, now.isoformat()],
        },
    }
    row.save(update_fields=["meta", "updated_at"])
    kind = EndpointType(row.type)
    # Never through something of the person's own: they could read there what was sent elsewhere.
    way = route(row.organisation, OWN_TYPES[kind])
    if way.first is None:
        raise NotUsable("Nothing is set up here that could send you a code. Ask an admin.")
    delivery = queue_delivery(
        row.organisation_id,
        content=Content(
            subject=f"{code} is your code for ONE",
            text=f"{code} is your code for {row.organisation.name} in ONE. It counts for 15"
            " minutes. If you did not ask for it, ignore this.",
            data={"is_code": True},
        ),
        channel_type=OWN_TYPES[kind],
        integration_id=way.first.pk,
        fallbacks=way.fallbacks,
        target=Target(type=kind, address=row.address),
        user=user,
        by=user,
        source="code",
        source_id=row.pk,
    )
    if delivery.status != DeliveryStatus.QUEUED:
        raise NotUsable(delivery.error or "No code could be sent there.")


def _code_hash(row: Endpoint, code: str) -> str:
    return salted_hmac("endpoint-code", f"{row.pk}:{code}", algorithm="sha256").hexdigest()


def verify(row: Endpoint, *, user: User, code: str) -> Endpoint:
    """Take the address as the person's own, when the code is right. Raises CodeRefused."""
    with transaction.atomic():
        kept = Endpoint.objects.select_for_update(of=("self",)).get(pk=row.pk, user=user)
        if kept.status == EndpointStatus.ACTIVE:
            return kept
        held = kept.meta.get("code") or {}
        problem = _problem_of(held)
        if problem is None and hmac.compare_digest(
            str(held["hash"]), _code_hash(kept, clean_line(code, 20).replace(" ", ""))
        ):
            kept.status, kept.verified_at = EndpointStatus.ACTIVE, timezone.now()
            kept.meta = {name: value for name, value in kept.meta.items() if name != "code"}
            kept.save()
            record(kept, "endpoint_verified", user)
            return kept
        if problem is None:
            kept.meta = {**kept.meta, "code": {**held, "tries": int(held.get("tries", 0)) + 1}}
            kept.save(update_fields=["meta", "updated_at"])
    # The try is counted, so the error comes after the commit.
    raise problem or CodeRefused()


def _problem_of(held: Mapping[str, Any]) -> AppError | None:
    if not held.get("hash"):
        return CodeRefused()
    if int(held.get("tries", 0)) >= TRIES:
        return CodeRefused("Too many tries. Please have another code sent.")
    if datetime.fromisoformat(str(held["until"])) < timezone.now():
        return CodeRefused("This code is too old. Please have another one sent.")
    return None
