"""Many at once: a preview without a trace, rows that fail by themselves, CSV of all kinds."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from flows_app.models import BulkAssignment, Lesson, LessonTarget
from flows_app.runtime.actors import Actor
from flows_app.runtime.bulk_rows import BulkRow, decoded, rows_of_text
from flows_app.services import bulk as bulk_service
from flows_app.services.bulk import assign_lessons
from flows_app.services.bulk_planning import BulkOptions
from flows_app.services.bulk_results import result_of
from flows_app.services.courses import create_course
from one_project.accounts.models import Membership, Role, Team, TeamMember
from one_project.common.errors import AccessDenied, InvalidInput
from tests.flows.samples import assign, complete, make_flow
from tests.flows.test_assigning import add_people
from tests.people import World
from tests.workflows.by_hand import drain

TABLE = """E-Mail;Flow;Due Date;NOTE
bob@example.test;onboarding;14 days;=1+1
ADAM@example.test;Onboarding;2030-01-01;"Two
lines; really"
bob@example.test;Onboarding;;
charlie@example.test;Onboarding;;
stella@example.test;Nothing;;
stella@example.test;Onboarding;soon;
stella@example.test;Onboarding;;;;too;many
"""


def test_each_row_has_its_own_end(world: World) -> None:
    make_flow(world)
    rows = rows_of_text("\ufeff" + TABLE.replace("\n", "\r\n"))
    by = Actor(user=world.stella)
    seen = assign_lessons(world.organisation, rows, by=by, preview=True)
    assert seen.sentence == (
        "Will create 2, skip 1 who has it already, 1 unknown address, 3 rows with an error."
    )
    assert not Lesson.objects.exists()
    assert not BulkAssignment.objects.exists()
    done = assign_lessons(world.organisation, rows, by=by, request_id="b1")
    assert [(one.line, one.outcome) for one in done.results] == [
        (2, "created"),
        (4, "created"),
        (5, "skipped"),
        (6, "unknown"),
        (7, "error"),
        (8, "error"),
        (9, "error"),
    ]
    assert [one.text for one in done.results] == [one.text for one in seen.results]
    assert done.results[3].text == "Nobody here has the address “charlie@example.test”."
    assert Lesson.objects.get(user=world.bob).note == "=1+1"
    again = assign_lessons(world.organisation, rows, by=by, request_id="b1")
    assert (again.bulk, again.created, LessonTarget.objects.count()) == (done.bulk, 2, 2)
    with pytest.raises(AccessDenied):
        assign_lessons(world.organisation, rows, by=Actor(user=world.bob))


def test_roles_teams_courses_agents_and_queues_by_name(world: World) -> None:
    flow, other = make_flow(world), make_flow(world, name="Safety")
    create_course(world.organisation, by=world.stella, name="Start", flows=[flow, other])
    team = Team.objects.create(organisation=world.organisation, name="Care")
    TeamMember.objects.create(team=team, user=world.bob)
    rows = rows_of_text(
        "role,team,agent,course,flow,step,resolution\n"
        "member,,,start,,,live\n"
        ",care,,,Safety,,\n"
        ",,guide,,Safety,read,\n"
        ",Care,,,Onboarding,,queue\n"
        "owner,,,Start,,Read,\n"
    )
    done = assign_lessons(world.organisation, rows, by=Actor(user=world.stella))
    assert [(one.outcome, one.text) for one in done.results] == [
        ("created", "2 assigned"),
        ("skipped", "has it already"),
        ("created", "assigned"),
        ("created", "waits until one of them takes it"),
        ("error", "A course is assigned as a whole."),
    ]
    assert set(LessonTarget.objects.values_list("user", "agent")) == {
        (world.bob.pk, None),
        (None, world.agent.pk),
        (None, None),
    }


def test_two_hundred_rows_cost_as_many_queries_as_ten(world: World, monkeypatch) -> None:
    monkeypatch.setattr(bulk_service, "AT_ONCE", 1000)
    counts = []
    for number, name in ((10, "Small"), (200, "Large")):
        people = add_people(world.organisation, number)
        make_flow(world, name=name)
        rows = [BulkRow(line=n, email=one.email, flow=name) for n, one in enumerate(people)]
        with CaptureQueriesContext(connection) as asked:
            result = assign_lessons(world.organisation, rows, by=Actor(user=world.stella))
        counts.append((result.created, len(asked)))
    assert [made for made, _ in counts] == [10, 200]
    assert counts[0][1] == counts[1][1]


def test_many_rows_are_done_by_a_worker_in_batches(world: World, monkeypatch) -> None:
    monkeypatch.setattr(bulk_service, "AT_ONCE", 3)
    monkeypatch.setattr(bulk_service, "BATCH", 2)
    people = add_people(world.organisation, 5)
    make_flow(world)
    rows = [BulkRow(line=n, email=one.email, flow="Onboarding") for n, one in enumerate(people)]
    asked = assign_lessons(
        world.organisation, rows, by=Actor(user=world.stella), request_id="large"
    )
    assert (asked.is_done, asked.created) == (False, 0)
    # A batch that is done before somebody carries on is not done again.
    assert asked.bulk is not None
    bulk_service._next_batch(asked.bulk.pk)
    drain()
    asked.bulk.refresh_from_db()
    assert (result_of(asked.bulk).is_done, result_of(asked.bulk).created) == (True, 5)
    assert len(asked.bulk.results) == LessonTarget.objects.count() == 5


def test_who_is_staff_no_more_assigns_nothing_more(world: World, monkeypatch) -> None:
    monkeypatch.setattr(bulk_service, "AT_ONCE", 1)
    monkeypatch.setattr(bulk_service, "BATCH", 1)
    make_flow(world)
    rows = [
        BulkRow(line=n, email=one.email, flow="Onboarding")
        for n, one in enumerate((world.bob, world.adam))
    ]
    asked = assign_lessons(world.organisation, rows, by=Actor(user=world.stella))
    assert asked.bulk is not None
    bulk_service._next_batch(asked.bulk.pk)
    Membership.objects.filter(user=world.stella).update(role=Role.MEMBER)
    drain()
    asked.bulk.refresh_from_db()
    done = result_of(asked.bulk)
    assert (done.is_done, [one.outcome for one in done.results]) == (True, ["created", "error"])
    assert LessonTarget.objects.get().user == world.bob


def test_restart_and_credit_go_for_all_rows(world: World) -> None:
    flow = make_flow(world, "Read", "Sign")
    complete(assign(world, flow), "Read", by=world.bob)
    rows = [BulkRow(line=1, role="member", flow=str(flow.pk))]
    options = BulkOptions(restart=True, credit_days=30)
    by = Actor(user=world.stella)
    seen = assign_lessons(world.organisation, rows, by=by, preview=True, options=options)
    assert (seen.created, seen.credited) == (1, 1)
    done = assign_lessons(world.organisation, rows, by=by, options=options)
    assert (done.created, done.credited) == (1, 1)
    target = LessonTarget.objects.active().get()
    assert (target.attempt, target.states.get().status) == (2, "Completed")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("email,shoe size\na@b.c,43", "Not known: “shoe size”"),
        ("bob@example.test,Onboarding", "has to name the columns"),
        ("flow,due\nOnboarding,3", "One column has to say who"),
        ("email,Person\na,b", "is there twice"),
        ("email\n", "no rows"),
        ("", "no rows"),
        ("email\n" + "a@b.c\n" * 10_001, "At most 10,000 rows at a time, please: these are 10,001"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        rows_of_text(text)


def test_a_file_in_another_encoding_says_so() -> None:
    assert decoded("\ufeffemail\n".encode()) == "email\n"
    assert decoded("email\nä".encode("utf-16")) == "email\nä"
    with pytest.raises(InvalidInput, match="not UTF-8"):
        decoded("email,note\na@b.c,Grüße".encode("latin-1"))


def test_what_a_row_does_not_say_comes_from_the_form() -> None:
    rows = rows_of_text(
        "email\tstep\tflow\na@b.c\t\t\nd@e.f\tTour\tOther",
        BulkRow(line=0, flow="Welcome", step="Read", due="7"),
    )
    assert [(one.flow, one.step, one.due) for one in rows] == [
        ("Welcome", "Read", "7"),
        ("Other", "Tour", "7"),
    ]
