"""The matrix: who stands where, which assignments are meant, and what it costs."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from flows_app.models import Flow, LessonTarget, Status
from flows_app.runtime.actors import Actor
from flows_app.services.assigning import assign_lesson
from flows_app.services.filtering import SORTS, Wanted
from flows_app.services.flows import publish_flow, save_draft
from flows_app.services.matrix import Matrix, all_rows, matrix_of
from flows_app.services.reading import lines_of, share_of_lines
from one_project.accounts.models import Team, TeamMember
from tests.flows.samples import assign, complete, make_flow, move, step
from tests.people import World


def shown(world: World, flow: Flow, **wanted: object) -> Matrix:
    return matrix_of(flow, Wanted(**wanted), by=world.stella, offset=0, limit=100)  # type: ignore[arg-type]


def names(matrix: Matrix) -> list[str]:
    return [row.name for row in matrix.rows]


@pytest.fixture
def flow(world: World) -> Flow:
    """Bob has read, Adam is blocked and overdue, Stella has done all, the agent nothing."""
    flow = make_flow(world, "Read", step("Sign", due_days=3), step("Extra", is_required=False))
    bob, adam, stella = (assign(world, flow, one) for one in (world.bob, world.adam, world.stella))
    assign_lesson(world.organisation, by=Actor(user=world.stella), flow=flow, agent=world.agent)
    complete(bob, "Read", by=world.bob)
    move(adam, "Sign", Status.BLOCKED, world.adam, reason="No pen")
    complete(stella, "Read", "Sign", by=world.stella)
    LessonTarget.objects.filter(pk=adam.pk).update(assigned_at=timezone.now() - timedelta(days=4))
    return flow


def test_cells_and_shares_are_those_of_the_steps(world: World, flow: Flow) -> None:
    matrix = shown(world, flow)
    assert names(matrix) == ["Adam", "Bob", "Guide", "Stella"]
    assert [column.name for column in matrix.columns] == ["Read", "Sign", "Extra"]
    adam, bob = matrix.rows[:2]
    assert [(cell.status, cell.is_late) for cell in adam.cells if cell] == [
        ("Not Started", False),
        ("Blocked", True),
        ("Not Started", False),
    ]
    assert [cell.status for cell in bob.cells if cell] == [
        "Completed",
        "Not Started",
        "Not Started",
    ]
    for row in matrix.rows:
        assert row.share == share_of_lines(lines_of(row.target))
    assert [(one.people, one.done, one.blocked) for one in matrix.totals] == [
        (4, 2, 0),
        (4, 1, 1),
        (4, 0, 0),
    ]


def test_every_order_is_that_of_the_shares_and_dates(world: World, flow: Flow) -> None:
    assert names(shown(world, flow, sort="-percent"))[:2] == ["Stella", "Bob"]
    assert names(shown(world, flow, sort="percent"))[-2:] == ["Bob", "Stella"]
    soon = timezone.now() + timedelta(days=1)
    LessonTarget.objects.filter(user=world.stella).update(due_at=soon)
    assert names(shown(world, flow, sort="due"))[0] == "Stella"
    for sort in SORTS:
        assert len(names(shown(world, flow, sort=sort))) == 4


def test_filters_narrow_to_what_they_name(world: World, flow: Flow) -> None:
    team = Team.objects.create(organisation=world.organisation, name="North")
    TeamMember.objects.create(team=team, user=world.bob)
    foreign = Team.objects.create(organisation=world.elsewhere, name="South")
    TeamMember.objects.create(team=foreign, user=world.bob)
    cases = {
        "Bob": {"text": "bOb"},
        "Adam": {"text": "adam@"},
        "Guide": {"who": "agents"},
        "Stella": {"who": "me"},
        "Bob ": {"who": f"team:{team.pk}"},
        "Bob  ": {"who": "role:member"},
        "": {"who": f"team:{foreign.pk}"},
        " ": {"who": "nobody"},
        "Adam ": {"status": Status.BLOCKED},
        "Bob Stella": {"status": Status.COMPLETED},
        "Adam  ": {"overdue": True},
        "  ": {"revision": 2},
    }
    for expected, wanted in cases.items():
        assert names(shown(world, flow, **wanted)) == expected.split(), wanted
    assert len(names(shown(world, flow, status=Status.NOT_STARTED))) == 4
    complete(LessonTarget.objects.get(user=world.stella), "Extra", by=world.stella)
    assert "Stella" not in names(shown(world, flow, status=Status.NOT_STARTED))


def test_a_finished_assignment_is_never_overdue(world: World, flow: Flow) -> None:
    past = timezone.now() - timedelta(days=1)
    LessonTarget.objects.update(due_at=past, assigned_at=timezone.now() - timedelta(days=9))
    assert names(shown(world, flow, overdue=True)) == ["Adam", "Bob", "Guide"]
    assert [row.is_late for row in shown(world, flow).rows] == [True, True, True, False]


def test_who_keeps_an_older_revision_has_its_own_steps(world: World, flow: Flow) -> None:
    keys = {one.name: one.key for one in flow.published.steps.all()}  # type: ignore[union-attr]
    save_draft(
        flow,
        by=world.stella,
        steps=[step("Read", key=keys["Read"]), step("Film", kind="reading")],
    )
    publish_flow(flow, by=world.stella)
    flow.refresh_from_db()
    assign(world, flow, world.alice)
    matrix = shown(world, flow)
    columns = [(column.name, column.is_current) for column in matrix.columns]
    assert columns == [("Read", True), ("Film", True), ("Sign", False), ("Extra", False)]
    alice = next(row for row in matrix.rows if row.name == "Alice")
    assert [cell is not None for cell in alice.cells] == [True, True, False, False]
    assert [one.people for one in matrix.totals] == [5, 1, 4, 4]
    assert names(shown(world, flow, revision=2)) == ["Alice"]


def test_a_single_step_is_one_cell(world: World) -> None:
    flow = make_flow(world, "Read", "Sign")
    assign(world, flow, step_name="Sign")
    row = shown(world, flow).rows[0]
    assert [cell is not None for cell in row.cells] == [False, True]
    assert row.share.total == 1


def test_more_people_cost_no_more_queries(world: World, flow: Flow) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            shown(world, flow, sort="-percent")
        return len(seen)

    queries()  # the organisation of the flow is looked up once
    before = queries()
    assign(world, flow, world.alice)
    assert queries() == before == 5


def test_all_rows_are_those_of_the_page(world: World, flow: Flow) -> None:
    _, rows = all_rows(flow, Wanted(sort="-percent"), by=world.stella)
    assert [row.name for row in rows] == names(shown(world, flow, sort="-percent"))


def test_another_organisation_sees_nothing_of_it(world: World, flow: Flow) -> None:
    other = make_flow(world, "Read", name="Other")
    assert names(shown(world, other)) == []
