"""Who else may use a person's or a team's integration, and who may change it.

Nobody reads its credentials by that; whoever may change it may replace them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Lower

from integrations_app.errors import InvalidSettings
from integrations_app.models import Integration
from integrations_app.models.integrations import GRANTED
from one_project.accounts.models import Grant, GrantLevel, Membership, Team, User
from one_project.accounts.services.grants import grant, revoke, revoke_all

PRIVATE: Final = "private"
ORGANISATION: Final = "organisation"
CHOSEN: Final = "chosen"
LEVELS: Final = ("", *GrantLevel.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """``people`` and ``teams``: level by id, "" takes it back; who is not named stays as they are.
    ``addresses``: e-mail addresses of more members, who may use it."""

    mode: str = PRIVATE
    people: Mapping[UUID, str] = field(default_factory=dict)
    teams: Mapping[UUID, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()


def grants_on(row: Integration) -> list[Grant]:
    """Who has been given access, people first, by name; one query."""
    rows = Grant.objects.filter(
        organisation_id=row.organisation_id, object_type=GRANTED, object_id=row.pk
    )
    return list(rows.select_related("user", "team").order_by("user__name", "team__name", "pk"))


def mode_of(grants: list[Grant]) -> str:
    """``private``, ``organisation`` or ``chosen``, as things are."""
    if any(one.user_id is None and one.team_id is None for one in grants):
        return ORGANISATION
    return CHOSEN if grants else PRIVATE


@transaction.atomic
def share(row: Integration, *, by: User, sharing: Sharing) -> None:
    """Make who may use and change it as ``sharing`` says; private takes everything back.

    Raises InvalidSettings for an unknown mode, level or address.
    """
    place = (row.organisation, GRANTED, row.pk)
    if sharing.mode not in (PRIVATE, ORGANISATION, CHOSEN):
        raise InvalidSettings({"share_mode": "Please choose who may use this."})
    levels = {*sharing.people.values(), *sharing.teams.values()}
    if not levels <= set(LEVELS):
        raise InvalidSettings({"share_mode": "Access is to use it, to change it, or none."})
    if sharing.mode == PRIVATE:
        revoke_all(*place, by=by)
        return
    if sharing.mode == ORGANISATION:
        grant(*place, by=by)
    else:
        revoke(*place, by=by)
    for user, level in _people(row, sharing):
        if level:
            grant(*place, by=by, user=user, level=level)
        else:
            revoke(*place, by=by, user=user)
    for team, level in _teams(row, sharing):
        if level:
            grant(*place, by=by, team=team, level=level)
        else:
            revoke(*place, by=by, team=team)


def _people(row: Integration, sharing: Sharing) -> list[tuple[User, str]]:
    """The named people with their levels. Whoever has left can only lose access."""
    members = Membership.objects.active().filter(organisation_id=row.organisation_id)
    here = set(members.filter(user__in=sharing.people).values_list("user_id", flat=True))
    rows = User.objects.filter(pk__in=sharing.people)
    found = {
        user.pk: (user, sharing.people[user.pk])
        for user in rows
        if user.pk in here or not sharing.people[user.pk]
    }
    asked = {one.strip().lower() for one in sharing.addresses if one.strip()}
    if asked:
        added = list(
            User.objects.annotate(lower=Lower("email")).filter(
                lower__in=asked, pk__in=members.values("user_id")
            )
        )
        missing = sorted(asked - {user.email.lower() for user in added})
        if missing:
            problem = f"Nobody here has this address: {', '.join(missing)[:300]}."
            raise InvalidSettings({"share_addresses": problem})
        for user in added:
            _, level = found.get(user.pk, (user, ""))
            found[user.pk] = (user, level or GrantLevel.USE.value)
    return list(found.values())


def _teams(row: Integration, sharing: Sharing) -> list[tuple[Team, str]]:
    rows = Team.objects.filter(pk__in=sharing.teams, organisation_id=row.organisation_id)
    return [(team, sharing.teams[team.pk]) for team in rows]
