"""What people call those that usage is of. Rows keep bare ids, which outlive what they name."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from billing_app.models import UsageDaily
from billing_app.runtime.usage_reading import Key, Sums
from one_project.accounts.models import Team, User

ITSELF: Final = "The organisation itself"
FORMER_MEMBER: Final = "a former member"
FORMER_TEAM: Final = "a former team"
NO_TEAM: Final = "Without a team"
NO_AGENT: Final = "Without an agent"
NAMELESS: Final = "an agent without a name"


@dataclass(frozen=True, slots=True)
class Names:
    """Of people and teams of one organisation, by id."""

    users: Mapping[UUID, str]
    teams: Mapping[UUID, str]

    def user(self, key: UUID | None) -> str:
        return ITSELF if key is None else self.users.get(key, FORMER_MEMBER)

    def team(self, key: UUID | None) -> str:
        return NO_TEAM if key is None else self.teams.get(key, FORMER_TEAM)


def read_names(
    organisation_id: UUID,
    users: Collection[UUID] | None = None,
    teams: Collection[UUID] | None = None,
) -> Names:
    """Of those that are or were in the organisation; None: of all. A statement for each kind."""
    people = User.objects.filter(memberships__organisation_id=organisation_id)
    groups = Team.objects.filter(organisation_id=organisation_id)
    if users is not None:
        people = people.filter(pk__in=users) if users else people.none()
    if teams is not None:
        groups = groups.filter(pk__in=teams) if teams else groups.none()
    found = list(people.only("name", "email"))
    often = Counter(user.display_name for user in found)
    return Names(
        {
            user.pk: f"{user.display_name} ({user.email})"
            if often[user.display_name] > 1
            else user.display_name
            for user in found
        },
        dict(groups.values_list("pk", "name")),
    )


def agent_names(organisation_id: UUID, agents: Collection[UUID]) -> dict[UUID, str]:
    """What agents were called when they were last used, as far as that has been rolled up."""
    if not agents:
        return {}
    rows = UsageDaily.objects.filter(organisation_id=organisation_id, agent_id__in=agents)
    newest = rows.order_by("agent_id", "-day", "-pk").distinct("agent_id")
    return {key: name for key, name in newest.values_list("agent_id", "agent_name") if key}


def by_agent(sums: Mapping[Key, Sums]) -> tuple[dict[Key, Sums], dict[UUID | None, str]]:
    """Sums by ``agent_id`` and ``agent_name`` as sums by id, each with the name it had last."""
    found: dict[Key, Sums] = {}
    newest: dict[UUID | None, tuple[object, str]] = {}
    for (agent_id, name), each in sums.items():
        found[(agent_id,)] = found.get((agent_id,), Sums()) + each
        newest[agent_id] = max(newest.get(agent_id, (each.last_day, "")), (each.last_day, name))
    names = {key: name or NAMELESS for key, (_, name) in newest.items()}
    if None in names:
        names[None] = NO_AGENT
    return found, names
