"""Whose usage is made up: the people, teams and agents of organisations."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.apps import apps
from django.db import transaction

from one_project.accounts.models import Membership, Organisation, Team, TeamMember

TEAMS: Final = ("Service", "Studio")


@dataclass(frozen=True, slots=True)
class House:
    """An organisation. ``people`` and their ``teams`` (none: without) go together, as do ids and
    names of ``agents``."""

    organisation_id: UUID
    people: list[UUID] = field(default_factory=list)
    teams: list[UUID | None] = field(default_factory=list)
    agents: list[UUID] = field(default_factory=list)
    agent_names: list[str] = field(default_factory=list)


def house_of(organisation: Organisation) -> House:
    """Its members, with the team each has been in longest, and its agents by name."""
    people = list(
        Membership.objects.active()
        .filter(organisation=organisation)
        .order_by("user__email")
        .values_list("user_id", flat=True)
    )
    members = (
        TeamMember.objects.filter(team__organisation=organisation)
        .order_by("-pk")
        .values_list("user_id", "team_id")
    )
    teams = dict(members)
    # Agents belong to an app above this one, and are read for their names only.
    agents = (
        apps.get_model("agents_app", "Agent")
        ._default_manager.filter(organisation=organisation)
        .order_by("name", "pk")
        .values_list("pk", "name")
    )
    ids, names = zip(*agents, strict=True) if agents else ((), ())
    return House(
        organisation.pk,
        people=people,
        teams=[teams.get(one) for one in people],
        agents=list(ids),
        agent_names=list(names),
    )


@transaction.atomic
def furnish(organisation: Organisation) -> None:
    """Two teams, where there is none: everybody but the last is in one of them."""
    if Team.objects.filter(organisation=organisation).exists():
        return
    teams = [Team.objects.create(organisation=organisation, name=name) for name in TEAMS]
    people = Membership.objects.active().filter(organisation=organisation).order_by("user__email")
    everybody = list(people.values_list("user_id", flat=True))
    for place, user_id in enumerate(everybody[:-1]):
        TeamMember.objects.create(team=teams[place % len(teams)], user_id=user_id)
