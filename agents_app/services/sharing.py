"""Who else may use an agent, a prompt, a tool or a collection, and who may change it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Lower

from agents_app.errors import InvalidFields
from agents_app.models import Agent, Collection, Prompt, Tool
from agents_app.models.collections import GRANTED as COLLECTION
from one_project.accounts.models import Grant, GrantLevel, Membership, Team, User
from one_project.accounts.services.grants import grant, revoke, revoke_all

PRIVATE, ORGANISATION, CHOSEN = "private", "organisation", "chosen"
MODES = (PRIVATE, ORGANISATION, CHOSEN)

Thing: TypeAlias = Agent | Prompt | Tool | Collection
_TYPES: dict[type, str] = {
    Agent: "agent",
    Prompt: "prompt",
    Tool: "tool",
    Collection: COLLECTION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """``people`` and ``teams``: level by id, "" takes it back; who is not named stays as they are.

    ``addresses`` are e-mail addresses of more members, who may use it.
    """

    mode: str = PRIVATE
    people: Mapping[UUID, str] = field(default_factory=dict)
    teams: Mapping[UUID, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()


def object_type(thing: Thing) -> str:
    """What grants call it."""
    return _TYPES[type(thing)]


def grants_on(thing: Thing) -> list[Grant]:
    """Who has been given access, people first, by name; one query."""
    rows = Grant.objects.filter(
        organisation_id=thing.organisation_id,
        object_type=object_type(thing),
        object_id=thing.pk,
    )
    return list(rows.select_related("user", "team").order_by("user__name", "team__name", "pk"))


def mode_of(thing: Thing, grants: list[Grant]) -> str:
    """``private``, ``organisation`` or ``chosen``, as things are."""
    everybody = any(row.user_id is None and row.team_id is None for row in grants)
    if everybody or getattr(thing, "is_shared", False):
        return ORGANISATION
    return CHOSEN if grants else PRIVATE


@transaction.atomic
def share(thing: Thing, *, by: User, sharing: Sharing) -> None:
    """Make who may use and change ``thing`` as ``sharing`` says.

    Private takes everything back. Raises InvalidFields for an unknown mode, level, person or team.
    """
    if sharing.mode not in MODES:
        raise InvalidFields({"mode": "Please choose who may use this."})
    _set_for_everybody(thing, by, sharing.mode == ORGANISATION)
    if sharing.mode == PRIVATE:
        revoke_all(thing.organisation, object_type(thing), thing.pk, by=by)
        return
    given = {row.user_id or row.team_id: row.level for row in grants_on(thing)}
    people, teams = _people(thing, sharing), _teams(thing, sharing)
    changes = [
        *(_Change(level, user=user) for user, level in people if given.get(user.pk, "") != level),
        *(_Change(level, team=team) for team, level in teams if given.get(team.pk, "") != level),
    ]
    for change in changes:
        change.apply(thing, by)


@dataclass(frozen=True, slots=True)
class _Change:
    """The new level of one person or team; "" takes access back."""

    level: str
    user: User | None = None
    team: Team | None = None

    def apply(self, thing: Thing, by: User) -> None:
        place = (thing.organisation, object_type(thing), thing.pk)
        if self.level:
            grant(*place, by=by, user=self.user, team=self.team, level=self.level)
        else:
            revoke(*place, by=by, user=self.user, team=self.team)


def _set_for_everybody(thing: Thing, by: User, is_shared: bool) -> None:
    if isinstance(thing, Tool | Collection):
        place = (thing.organisation, object_type(thing), thing.pk)
        if is_shared:
            grant(*place, by=by)
        else:
            revoke(*place, by=by)
    elif thing.is_shared != is_shared:
        thing.is_shared = is_shared
        thing.save(update_fields=["is_shared"])


def _people(thing: Thing, sharing: Sharing) -> list[tuple[User, str]]:
    """The named people with their levels. Whoever has left can only lose access."""
    wanted = {pk: _level(level, "people") for pk, level in sharing.people.items()}
    people = {user.pk: user for user in User.objects.filter(pk__in=wanted)}
    asked = {address.strip().lower() for address in sharing.addresses if address.strip()}
    active = Membership.objects.active().filter(organisation_id=thing.organisation_id)
    members = set(active.filter(user__in=wanted).values_list("user_id", flat=True))
    found = [
        (people[pk], level)
        for pk, level in wanted.items()
        if pk in people and (pk in members or not level)
    ]
    if asked:
        by_address = User.objects.annotate(lower=Lower("email")).filter(
            lower__in=asked, pk__in=active.values("user_id")
        )
        added = list(by_address)
        missing = sorted(asked - {user.email.lower() for user in added})
        if missing:
            problem = f"Nobody here has this address: {', '.join(missing)[:300]}."
            raise InvalidFields({"addresses": problem})
        named = {user.pk for user, level in found if level}
        found = [one for one in found if one[0].pk in named or one[0] not in added]
        found += [(user, GrantLevel.USE.value) for user in added if user.pk not in named]
    return found


def _teams(thing: Thing, sharing: Sharing) -> list[tuple[Team, str]]:
    wanted = {pk: _level(level, "teams") for pk, level in sharing.teams.items()}
    if not wanted:
        return []
    rows = Team.objects.filter(pk__in=wanted, organisation_id=thing.organisation_id)
    return [(team, wanted[team.pk]) for team in rows]


def _level(level: str, where: str) -> str:
    if level and level not in GrantLevel.values:
        raise InvalidFields({where: "Access is to use it, to change it, or none."})
    return level
