"""Who gets work, once; roles of any size in the same number of queries; and dates."""

import threading
from datetime import UTC, datetime

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from flows_app.errors import AlreadyAssigned, LessonNotFound, StepNotFound
from flows_app.models import Flow, FlowProgress, Lesson, LessonTarget, LogKind, Status
from flows_app.runtime.actors import Actor
from flows_app.runtime.dates import moment_of
from flows_app.services.assigning import assign_lesson
from flows_app.services.courses import create_course
from flows_app.services.crediting import credit_prior
from flows_app.services.due_dates import change_due
from flows_app.services.ending import withdraw_lesson
from flows_app.services.reassigning import restart
from one_project.accounts.models import Membership, Organisation, Role, User
from one_project.accounts.services.organisations import create_organisation
from one_project.common.errors import AccessDenied, AppError, Conflict, InvalidInput
from tests.flows.samples import assign, complete, in_order, make_flow, move, step
from tests.people import World


def add_people(organisation: Organisation, number: int, role: str = Role.MEMBER) -> list[User]:
    before = User.objects.count()
    people = User.objects.bulk_create(
        User(email=f"learner{before + n}@example.test", name="Learner") for n in range(number)
    )
    Membership.objects.bulk_create(
        Membership(organisation=organisation, user=one, role=role) for one in people
    )
    return people


def test_a_role_of_a_thousand_costs_as_many_queries_as_one_of_ten(world: World) -> None:
    counts = []
    for number, name in ((9, "Small"), (990, "Large")):
        add_people(world.organisation, number)
        flow = make_flow(world, name=name)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            made = assign_lesson(
                world.organisation, by=Actor(user=world.stella), flow=flow, role=Role.MEMBER
            )
        counts.append((len(made.targets), len(asked)))
    assert [people for people, _ in counts] == [10, 1000]
    assert counts[0][1] == counts[1][1]
    with CaptureQueriesContext(connection) as asked:
        assert withdraw_lesson(made.lesson, by=Actor(user=world.stella), reason="Wrong one") == 1000
    assert len(asked) < 20
    ended = FlowProgress.objects.filter(target__lesson=made.lesson, kind=LogKind.ENDED)
    assert set(ended.values_list("seq", flat=True)) == {2}


def test_the_same_work_is_assigned_once_until_it_is_restarted(world: World) -> None:
    flow = make_flow(world)
    first = assign(world, flow)
    with pytest.raises(AlreadyAssigned):
        assign(world, flow)
    assert Lesson.objects.count() == 1
    second = assign(world, flow, restart=True)
    first.refresh_from_db()
    assert (first.ended, second.attempt) == ("restarted", 2)
    third = restart(second, by=Actor(user=world.stella))
    assert (third.attempt, third.lesson) == (3, second.lesson)
    # One step of it is other work.
    assert assign(world, flow, step_name="sign").attempt == 1


def test_nothing_is_assigned_to_people_of_another_organisation(world: World) -> None:
    flow = make_flow(world)
    for who in ({"user": world.charlie}, {"role": "boss"}, {}):
        with pytest.raises(InvalidInput):
            assign_lesson(world.organisation, by=Actor(user=world.stella), flow=flow, **who)
    foreign = Flow.objects.create(organisation=world.elsewhere, name="Foreign")
    with pytest.raises(InvalidInput):
        assign(world, foreign)
    with pytest.raises(StepNotFound):
        assign(world, flow, step_name="Nothing")
    for person in (world.bob, world.charlie):
        with pytest.raises(AccessDenied):
            assign_lesson(world.organisation, by=Actor(user=person), flow=flow, user=world.bob)
    assert not LessonTarget.objects.exists()


def test_the_same_request_twice_is_one_assignment(world: World) -> None:
    flow = make_flow(world)
    first = assign(world, flow, request_id="r1")
    assert assign(world, flow, request_id="r1").pk == first.pk


def test_many_who_assign_the_same_at_once_make_one_target(committed_world: World) -> None:
    world = committed_world
    flow = make_flow(world)
    start, said = threading.Barrier(8), []

    def give() -> None:
        start.wait()
        try:
            said.append(assign(world, flow).attempt)
        except AppError as error:
            said.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=give) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, said)) == ["1"] + ["already_assigned"] * 7
    assert (LessonTarget.objects.count(), Lesson.objects.count()) == (1, 1)


def test_a_day_ends_where_it_was_meant() -> None:
    now = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert moment_of("2026-12-01", "America/New_York", now) == datetime(
        2026, 12, 2, 4, 59, tzinfo=UTC
    )
    # It is March 2nd already in Tokyo.
    assert moment_of("P7D", "Asia/Tokyo", now) == datetime(2026, 3, 9, 14, 59, tzinfo=UTC)
    assert moment_of("7 days", "UTC", now) == datetime(2026, 3, 8, 23, 59, tzinfo=UTC)
    assert moment_of("2026-12-01 14:00", "Europe/Berlin", now) == datetime(
        2026, 12, 1, 13, 0, tzinfo=UTC
    )
    assert moment_of(" ", "UTC", now) is None
    for wrong in ("tomorrow", "31.12.2026", "99999", "1826-01-01"):
        with pytest.raises(InvalidInput):
            moment_of(wrong, "UTC", now)


def test_a_changed_due_date_is_in_the_log(world: World) -> None:
    target = assign(world, make_flow(world))
    due = datetime(2030, 5, 1, 21, 59, tzinfo=UTC)
    change = {"due_at": due, "follow_up_at": None, "timezone": "Europe/Berlin"}
    by = Actor(user=world.stella)
    assert change_due(target.lesson, by=by, **change, reason="Holidays") == 1
    assert change_due(target.lesson, by=by, **change) == 0
    entry = target.log.get(kind=LogKind.DUE)
    assert (entry.notes, entry.reason) == ("Due: 1 May 2030 (was: no date).", "Holidays")
    target.refresh_from_db()
    assert target.due_at == due
    with pytest.raises(LessonNotFound):
        change_due(target.lesson, by=Actor(user=world.bob), **change)
    withdraw_lesson(target.lesson, by=by)
    with pytest.raises(Conflict):
        change_due(target.lesson, by=by, **change)


def test_prior_work_is_credited_after_a_preview(world: World) -> None:
    flow = make_flow(world, *in_order("Tour", "Safety"), step("Essay", needs_review=True))
    old = assign(world, flow)
    complete(old, "Tour", "Safety", by=world.bob)
    new = restart(old, by=Actor(user=world.stella))
    by = Actor(user=world.stella)
    assert [one.step.name for one in credit_prior(new.lesson, 30, by=by, preview=True)] == [
        "Tour",
        "Safety",
    ]
    assert not new.states.exists()
    assert len(credit_prior([new], 30, by=by)) == 2
    assert new.states.filter(status=Status.COMPLETED).count() == 2
    entry = new.log.filter(kind=LogKind.STATUS).first()
    assert entry is not None
    assert (entry.actor_type, entry.notes[:8]) == ("system", "Credited")
    assert credit_prior([new], 30, by=by) == []
    # Work of another person is nobody's else.
    other = assign(world, flow, user=world.adam)
    assert credit_prior([other], 30, by=by) == []


def test_a_course_is_one_target_for_each_flow(world: World) -> None:
    flows = [make_flow(world, name=name) for name in ("One", "Two")]
    course = create_course(world.organisation, by=world.stella, name="Start", flows=flows)
    assign(world, flows[0])
    made = assign_lesson(
        world.organisation, by=Actor(user=world.stella), course=course, user=world.bob
    )
    assert ([one.flow.name for one in made.targets], made.skipped) == (["Two"], 1)
    elsewhere = create_organisation(name="Third", owner=world.charlie)
    with pytest.raises(InvalidInput):
        assign_lesson(elsewhere, by=Actor(user=world.charlie), course=course, user=world.charlie)


def test_who_is_blocked_can_be_moved_on_by_staff(world: World) -> None:
    """A withdrawn assignment takes no more."""
    target = assign(world, make_flow(world, "Read"))
    withdraw_lesson(target.lesson, by=Actor(user=world.stella))
    with pytest.raises(Conflict):
        move(target, "Read", Status.COMPLETED, world.bob)
