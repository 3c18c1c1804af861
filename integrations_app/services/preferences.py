"""What people want to hear, and on which way.

A row of ``Preference`` switches something on or off; without one it is on. The most specific wins:
category and channel, category, channel, everything. Critical notifications ask nobody, and a
subscription to a topic may mute ways of its own (``services.topics``).
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.core import signing
from django.db import transaction

from integrations_app.models import Preference
from integrations_app.types import ChannelType
from one_project.accounts.access import find_membership
from one_project.accounts.models import Organisation, User
from one_project.common.errors import InvalidInput, NotFound

# The ways to a person.
WAYS: Final = (
    ChannelType.IN_APP,
    ChannelType.EMAIL,
    ChannelType.PUSH,
    ChannelType.SMS,
    ChannelType.CHAT,
)
EVERYTHING: Final = ""
_SALT: Final = "integrations_app.unsubscribe"
_CATEGORY: Final = re.compile(r"[a-zA-Z0-9_-]{0,64}")

Switches = dict[tuple[str, str], bool]


def wants(
    user_id: UUID, organisation_id: UUID, category: str, channel_type: str, critical: bool = False
) -> bool:
    """Whether the person wants this kind on this way. One query."""
    if critical:
        return True
    return bool(who_want([user_id], organisation_id, category, channel_type))


def who_want(
    user_ids: Collection[UUID], organisation_id: UUID, category: str, channel_type: str
) -> set[UUID]:
    """Those of the people who want this kind on this way. One query, whatever the number."""
    rows = Preference.objects.filter(
        organisation_id=organisation_id,
        user_id__in=user_ids,
        category__in={category, EVERYTHING},
        channel_type__in={channel_type, EVERYTHING},
    )
    found: dict[UUID, Switches] = {}
    for user_id, one, way, is_on in rows.values_list("user", "category", "channel_type", "is_on"):
        found.setdefault(user_id, {})[one, way] = is_on
    return {
        user_id for user_id in user_ids if is_on_by(found.get(user_id, {}), category, channel_type)
    }


def is_on_by(switches: Switches, category: str, channel_type: str) -> bool:
    """What the switches say of one kind on one way."""
    for place in (
        (category, channel_type),
        (category, EVERYTHING),
        (EVERYTHING, channel_type),
        (EVERYTHING, EVERYTHING),
    ):
        if place in switches:
            return switches[place]
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One switch of the page: ``is_own`` where a row says it, and not a wider one."""

    category: str
    channel_type: str
    label: str
    is_on: bool
    is_own: bool


def matrix(
    user: User, organisation: Organisation, categories: Iterable[tuple[str, str]]
) -> list[tuple[str, str, list[Cell]]]:
    """Lines of (category, name, cells): everything first, then ``categories`` (slug and name)."""
    rows = Preference.objects.filter(user=user, organisation=organisation)
    switches: Switches = {(row.category, row.channel_type): row.is_on for row in rows}
    lines = [(EVERYTHING, "Everything"), *categories]
    return [
        (
            category,
            name,
            [
                Cell(
                    category=category,
                    channel_type=way,
                    label=f"{name}: {way.label}",
                    is_on=is_on_by(switches, category, way),
                    is_own=(category, way) in switches,
                )
                for way in WAYS
            ],
        )
        for category, name in lines
    ]


@transaction.atomic
def switch(
    user: User, organisation: Organisation, *, category: str, channel_type: str, is_on: bool
) -> None:
    """Store one switch; "" is every category or every way.

    Raises InvalidInput for what is not known, NotFound for strangers.
    """
    if find_membership(user, organisation.pk) is None:
        raise NotFound
    if channel_type not in {EVERYTHING, *WAYS}:
        raise InvalidInput("There is no such way to be told.")
    if not _CATEGORY.fullmatch(category):
        raise InvalidInput("There is no such kind of notification.")
    own: dict[str, Any] = {
        "user": user,
        "organisation": organisation,
        "category": category,
        "channel_type": channel_type,
    }
    Preference.objects.update_or_create(**own, defaults={"is_on": is_on})


@transaction.atomic
def reset(user: User, organisation: Organisation) -> None:
    """As if nothing had ever been switched."""
    Preference.objects.filter(user=user, organisation=organisation).delete()


# --- Unsubscribing by the link of a mail (RFC 8058) -----------------------------------------------


def unsubscribe_token(user_id: UUID, organisation_id: UUID, category: str) -> str:
    """Signed: whoever has the mail may switch off its kind for its receiver, and nothing else."""
    return signing.dumps([str(user_id), str(organisation_id), category], salt=_SALT)


@dataclass(frozen=True, slots=True)
class Unsubscribing:
    user: User
    organisation: Organisation
    category: str


def read_token(token: str) -> Unsubscribing:
    """Whom and what a link is about. Raises NotFound for one that we did not make, or whose person
    does not belong to the organisation any more."""
    try:
        user_id, organisation_id, category = signing.loads(token, salt=_SALT)
        user = User.objects.get(pk=user_id)
    except (signing.BadSignature, ValueError, TypeError, User.DoesNotExist):
        raise NotFound from None
    membership = find_membership(user, organisation_id)
    if membership is None:
        raise NotFound
    return Unsubscribing(user, membership.organisation, str(category))


def unsubscribe(token: str, *, is_on: bool = False) -> Unsubscribing:
    """Switch mails of that kind off (or on again) for the receiver. Raises NotFound."""
    found = read_token(token)
    switch(
        found.user,
        found.organisation,
        category=found.category,
        channel_type=ChannelType.EMAIL,
        is_on=is_on,
    )
    return found
