"""What the rows of a bulk assignment name, looked up as sets: a fixed number of queries."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from agents_app.models import Agent
from flows_app.errors import StepNotFound
from flows_app.models import Course, Flow, FlowStep
from flows_app.runtime.bulk_rows import BulkRow
from flows_app.services.targets import Part
from one_project.accounts.models import Membership, Organisation, Role, Team, TeamMember, User
from one_project.common.errors import InvalidInput, NotFound
from one_project.common.ids import parse_id

T = TypeVar("T")


class UnknownPerson(NotFound):
    """Nobody of this organisation has the address: the same for somebody of another one."""


@dataclass(slots=True)
class Names:
    """Things of one organisation by id (as text) and by name in lower case."""

    organisation: Organisation
    people: dict[str, UUID] = field(default_factory=dict)
    agents: dict[str, list[Agent]] = field(default_factory=dict)
    teams: dict[str, list[Team]] = field(default_factory=dict)
    flows: dict[str, list[Flow]] = field(default_factory=dict)
    courses: dict[str, list[Course]] = field(default_factory=dict)
    steps: dict[tuple[UUID, str], FlowStep] = field(default_factory=dict)
    of_role: dict[str, list[UUID]] = field(default_factory=dict)
    of_team: dict[UUID, list[UUID]] = field(default_factory=dict)

    def person(self, row: BulkRow) -> UUID:
        """Raises UnknownPerson."""
        found = self.people.get(row.email.lower())
        if found is None:
            raise UnknownPerson(f"Nobody here has the address “{row.email[:120]}”.")
        return found

    def agent(self, row: BulkRow) -> Agent:
        return _one(self.agents, row.agent, "agent")

    def team(self, row: BulkRow) -> Team:
        return _one(self.teams, row.team, "team")

    def role(self, row: BulkRow) -> str:
        if row.role.lower() not in Role.values:
            raise InvalidInput(f"A role is one of {', '.join(Role.values)}.")
        return row.role.lower()

    def what(self, row: BulkRow) -> tuple[Flow | None, Course | None, list[Part]]:
        """The flow or the course, and its parts. Raises InvalidInput, StepNotFound."""
        if bool(row.flow) == bool(row.course):
            raise InvalidInput("Please name a flow or a course.")
        if row.course:
            if row.step:
                raise InvalidInput("A course is assigned as a whole.")
            course = _one(self.courses, row.course, "course")
            parts = [self._part(one.flow, one.position) for one in course.course_flows.all()]
            if not parts:
                raise InvalidInput(f"“{course.name}” has no flows yet.")
            return None, course, parts
        flow = _one(self.flows, row.flow, "flow")
        return flow, None, [self._part(flow, 0, row.step)]

    def _part(self, flow: Flow, position: int, step_name: str = "") -> Part:
        if flow.archived_at is not None:
            raise InvalidInput(f"“{flow.name}” is archived.")
        if flow.published_id is None:
            raise InvalidInput(f"“{flow.name}” has not been published yet.")
        if not step_name:
            return Part(flow, flow.published_id, position, None)
        step = self.steps.get((flow.published_id, step_name.lower()))
        if step is None:
            raise StepNotFound(f"“{flow.name}” has no step called “{step_name[:120]}”.")
        return Part(flow, flow.published_id, position, step.key, step.name)


def names_of(organisation: Organisation, rows: Sequence[BulkRow], by: User | None) -> Names:
    """All that the rows name. Ten queries at most. ``by``: whose agents may be named."""
    found = Names(organisation)
    found.people = _people(organisation, {row.email.lower() for row in rows if row.email})
    agents = Agent.objects.filter(organisation=organisation, is_active=True)
    if by is not None:
        agents = Agent.objects.usable_by(by, organisation)
    found.agents = _named(agents, (row.agent for row in rows))
    teams = Team.objects.filter(organisation=organisation)
    found.teams = _named(teams, (row.team for row in rows))
    flows = Flow.objects.filter(organisation=organisation)
    # Of two of one name the one in use.
    found.flows = _named(flows, (row.flow for row in rows), lambda one: one.archived_at is not None)
    courses = Course.objects.active().filter(organisation=organisation)
    found.courses = _named(
        courses.prefetch_related("course_flows__flow"), (row.course for row in rows)
    )
    _add_steps(found, {row.step.lower() for row in rows if row.step})
    _add_members(found, {row.role.lower() for row in rows if row.role})
    return found


def _people(organisation: Organisation, wanted: set[str]) -> dict[str, UUID]:
    """By address in lower case, and by id."""
    if not wanted:
        return {}
    ids = [key for key in map(parse_id, wanted) if key]
    rows = (
        Membership.objects.active()
        .filter(organisation=organisation)
        .annotate(address=Lower("user__email"))
        .filter(Q(address__in=wanted) | Q(user__in=ids))
        .values_list("address", "user_id")
    )
    return {name: key for address, key in rows for name in (address, str(key))}


def _named(
    rows: QuerySet[Any], names: Iterable[str], is_second: Callable[[Any], bool] = lambda _: False
) -> dict[str, list[Any]]:
    """Rows by id and by name; those that are second only where nothing else has the name."""
    wanted = {name.lower() for name in names if name}
    if not wanted:
        return {}
    ids = [key for key in map(parse_id, wanted) if key]
    found: dict[str, list[Any]] = defaultdict(list)
    matching = rows.annotate(lower=Lower("name")).filter(Q(lower__in=wanted) | Q(pk__in=ids))
    for one in sorted(matching, key=is_second):
        found[str(one.pk)] = [one]
        if not is_second(one) or not found[one.lower]:
            found[one.lower].append(one)
    return dict(found)


def _one(found: dict[str, list[T]], name: str, kind: str) -> T:
    rows = found.get(name.lower(), [])
    if not rows:
        raise InvalidInput(f"There is no {kind} called “{name[:120]}” here.")
    if len(rows) > 1:
        raise InvalidInput(f"There are several {kind}s called “{name[:120]}”: give the id.")
    return rows[0]


def _add_steps(names: Names, wanted: set[str]) -> None:
    if not wanted:
        return
    revisions = {one.published_id for rows in names.flows.values() for one in rows}
    rows = FlowStep.objects.filter(revision_id__in=revisions - {None})
    for step in rows.annotate(lower=Lower("name")).filter(lower__in=wanted):
        names.steps[step.revision_id, step.lower] = step


def _add_members(names: Names, roles: set[str]) -> None:
    members = Membership.objects.active().filter(organisation=names.organisation)
    if roles:
        of_role = defaultdict(list)
        for role, key in members.filter(role__in=roles).values_list("role", "user_id"):
            of_role[role].append(key)
        names.of_role = dict(of_role)
    teams = {one.pk for rows in names.teams.values() for one in rows}
    if teams:
        of_team = defaultdict(list)
        rows = TeamMember.objects.filter(team__in=teams, user__in=members.values("user_id"))
        for team, key in rows.values_list("team_id", "user_id"):
            of_team[team].append(key)
        names.of_team = dict(of_team)
