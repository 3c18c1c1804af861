"""Names of what budgets are for: people and teams from accounts, agents from the app above."""

from collections.abc import Callable, Collection
from typing import Final, NamedTuple
from uuid import UUID

from billing_app.models import BudgetScope
from one_project.accounts.models import Membership, Team, User

# So many of a kind are offered for choice.
OFFERED: Final = 500


class Subject(NamedTuple):
    """Whose it may be, and in which organisation."""

    organisation_id: UUID
    scope: str
    id: UUID
    name: str


# Of these organisations (None: of all), or with these ids: organisation, id and name of each.
AgentRow = tuple[UUID, UUID, str]
AgentRows = Callable[[Collection[UUID] | None, Collection[UUID] | None], list[AgentRow]]


def _none(_: object, __: object) -> list[AgentRow]:
    return []


_agents: AgentRows = _none


def register_agents(rows: AgentRows) -> None:
    """``rows(organisation_ids, ids)``: agents by name, OFFERED at most. Filled by the app that has
    them when it starts."""
    global _agents
    _agents = rows


def subjects_of(organisation_ids: Collection[UUID] | None) -> list[Subject]:
    """Teams, people and agents of the organisations (None: of all), by name; OFFERED of each."""
    teams = Team.objects.order_by("name")
    people = Membership.objects.active().select_related("user").order_by("user__email")
    if organisation_ids is not None:
        teams = teams.filter(organisation__in=organisation_ids)
        people = people.filter(organisation__in=organisation_ids)
    return [
        *(Subject(t.organisation_id, BudgetScope.TEAM, t.pk, t.name) for t in teams[:OFFERED]),
        *(
            Subject(p.organisation_id, BudgetScope.USER, p.user_id, _person(p.user))
            for p in people[:OFFERED]
        ),
        *(
            Subject(o, BudgetScope.AGENT, pk, name)
            for o, pk, name in _agents(organisation_ids, None)
        ),
    ]


def names_of(scope: str, ids: Collection[UUID]) -> dict[UUID, str]:
    """What they are called now; those that are gone are left out. One query."""
    if not ids:
        return {}
    if scope == BudgetScope.USER:
        return {user.pk: _person(user) for user in User.objects.filter(pk__in=ids)}
    if scope == BudgetScope.TEAM:
        return dict(Team.objects.filter(pk__in=ids).values_list("pk", "name"))
    return {pk: name for _, pk, name in _agents(None, ids)} if scope == BudgetScope.AGENT else {}


def _person(user: User) -> str:
    return f"{user.name} ({user.email})" if user.name else user.email
