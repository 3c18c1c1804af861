"""Work that goes to somebody else, and queues that people take work from."""

import threading

import pytest
from django.db import connection, connections, transaction

from flows_app.errors import AlreadyAssigned, LessonNotFound
from flows_app.models import LessonTarget, LogKind, Notice, Status, StepState
from flows_app.runtime.actors import Actor
from flows_app.runtime.progress import replay
from flows_app.services.assigning import assign_lesson
from flows_app.services.claiming import claim, claimable, unclaim
from flows_app.services.ending import withdraw_lesson
from flows_app.services.reassigning import reassign, reassign_person
from one_project.accounts.models import Role
from one_project.accounts.services.organisations import add_member
from one_project.common.errors import Conflict, InvalidInput
from tests.flows.samples import assign, complete, make_flow, move, step
from tests.people import World, make_person


def test_the_new_person_goes_on_where_the_old_one_was(world: World) -> None:
    flow = make_flow(world, "Read", "Sign", step("Essay", needs_review=True), "Tour")
    old = assign(world, flow)
    complete(old, "Read", by=world.bob)
    move(old, "Sign", Status.IN_PROGRESS, world.bob)
    move(old, "Tour", Status.BLOCKED, world.bob, reason="No key")
    new = reassign(old, to_user=world.adam, by=Actor(user=world.stella), reason="Ill")
    old.refresh_from_db()
    assert (old.ended, old.user, new.user, new.lesson) == (
        "reassigned", world.bob, world.adam, old.lesson,
    )  # fmt: skip
    entries = list(new.log.order_by("seq"))
    new.refresh_from_db()
    assert [one.seq for one in entries] == list(range(1, new.seq + 1))
    assert replay((one.step_key, one.from_status, one.status) for one in entries) == {
        one.step_key: one.status for one in StepState.objects.filter(target=new)
    }
    assert {one.user for one in entries} == {world.adam}
    for target in (old, new):
        assert target.log.get(kind=LogKind.REASSIGNED).reason == "Ill"
    move(new, "Sign", Status.COMPLETED, world.adam)
    with pytest.raises(Conflict):
        move(old, "Sign", Status.COMPLETED, world.bob)
    told = set(Notice.objects.values_list("user", "kind"))
    assert (world.bob.pk, "reassigned") in told


def test_only_staff_reassign_and_only_to_their_own_people(world: World) -> None:
    target = assign(world, make_flow(world))
    with pytest.raises(LessonNotFound):
        reassign(target, to_user=world.adam, by=Actor(user=world.bob))
    by = Actor(user=world.stella)
    with pytest.raises(InvalidInput):
        reassign(target, to_user=world.charlie, by=by)
    with pytest.raises(InvalidInput):
        reassign(target, by=by)
    with pytest.raises(Conflict):
        reassign(target, to_user=world.bob, by=by)
    assert reassign(target, to_agent=world.agent, by=by).agent == world.agent
    with pytest.raises(Conflict):
        reassign(target, to_user=world.adam, by=by)


def test_all_open_work_of_a_person_goes_to_another(world: World) -> None:
    flows = [make_flow(world, name=name) for name in ("One", "Two", "Done")]
    for flow in flows:
        assign(world, flow)
    complete(LessonTarget.objects.get(flow=flows[2]), "Read", "Sign", by=world.bob)
    assign(world, flows[1], user=world.adam)
    handed = reassign_person(
        world.organisation, world.bob, to_user=world.adam, by=Actor(user=world.stella)
    )
    assert [one.flow.name for one in handed.targets] == ["One"]
    assert [(one.flow.name, why) for one, why in handed.kept] == [
        ("Two", "Adam has the same work already.")
    ]
    mine = LessonTarget.objects.active().filter(user=world.bob)
    assert set(mine.values_list("flow__name", flat=True)) == {"Two", "Done"}


def queue(world: World, name: str = "Onboarding") -> LessonTarget:
    made = assign_lesson(
        world.organisation,
        by=Actor(user=world.stella),
        flow=make_flow(world, name=name),
        role=Role.MEMBER,
        resolution="queue",
    )
    return made.targets[0]


def test_who_belongs_takes_work_and_puts_it_back(world: World) -> None:
    target = queue(world)
    assert list(claimable(world.bob, world.organisation)) == [target]
    for person in (world.adam, world.charlie):
        assert not claimable(person, world.organisation)
        with pytest.raises(LessonNotFound):
            claim(target, person)
    assert claim(target, world.bob).user == world.bob
    assert claim(target, world.bob).user == world.bob
    assert not claimable(world.bob, world.organisation)
    complete(target, "Read", by=world.bob)
    with pytest.raises(LessonNotFound):
        unclaim(target, by=world.charlie)
    unclaim(target, by=world.bob)
    with pytest.raises(Conflict):
        unclaim(target, by=world.stella)
    assert claimable(world.bob, world.organisation).get().states.get().status == "Completed"
    target.refresh_from_db()
    assert [entry.seq for entry in target.log.order_by("seq")] == list(range(1, target.seq + 1))


def test_own_work_is_not_put_into_a_queue_nor_taken_twice(world: World) -> None:
    target = queue(world)
    assign(world, target.flow)
    with pytest.raises(AlreadyAssigned):
        claim(target, world.bob)
    with pytest.raises(Conflict):
        unclaim(LessonTarget.objects.get(user=world.bob), by=world.bob)


def test_of_two_who_take_the_same_work_one_wins(committed_world: World) -> None:
    world = committed_world
    target = queue(world)
    people = [make_person(name) for name in ("First", "Second", "Third", "Fourth")]
    for person in people:
        add_member(world.organisation, user=person, role=Role.MEMBER)
    start, said = threading.Barrier(len(people)), []

    def take(person) -> None:
        start.wait()
        try:
            said.append(str(claim(target, person).user))
        except Conflict as error:
            said.append(error.user_message)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    target.refresh_from_db()
    winner = str(target.user)
    assert sorted(said) == sorted([winner] + [f"{winner} has taken this already."] * 3)
    assert target.log.count() == 2


def test_what_is_withdrawn_meanwhile_goes_to_nobody_else(committed_world: World) -> None:
    """Who withdraws waits for who hands over, and takes the new row back, too."""
    world = committed_world
    target = assign(world, make_flow(world))
    by = Actor(user=world.stella)

    def withdraw() -> None:
        try:
            withdraw_lesson(target.lesson, by=by)
        finally:
            connections.close_all()

    other = threading.Thread(target=withdraw)
    with transaction.atomic():
        reassign(target, to_user=world.adam, by=by)
        other.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with connection.cursor() as cursor:
            for _ in range(100_000):
                cursor.execute(waiting)
                if cursor.fetchone() != (0,) or not other.is_alive():
                    break
    other.join()
    assert not LessonTarget.objects.active().exists()
