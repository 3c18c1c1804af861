"""How a step moves, who may say so, and that the log and the state are one."""

import threading

import pytest
from django.db import connection, connections, transaction
from django.db.utils import DatabaseError

from flows_app.errors import (
    IllegalTransition,
    LessonNotFound,
    NotByHand,
    ReasonMissing,
    StaleProgress,
    StepLocked,
)
from flows_app.models import FlowProgress, FlowStep, LogKind, Status, StepState
from flows_app.runtime.actors import Actor
from flows_app.runtime.progress import replay
from flows_app.runtime.transitions import ALLOWED
from flows_app.services.progress import reopen
from flows_app.services.reading import lines_of, share_of_lines, shares_of
from one_project.common.errors import AccessDenied, AppError
from tests.flows.samples import assign, complete, in_order, make_flow, move, step
from tests.people import World


def test_a_completion_is_an_entry_and_a_state(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    state = move(target, "Read", Status.COMPLETED, world.bob, notes="Done.")
    entry = FlowProgress.objects.get(target=target, kind=LogKind.STATUS)
    assert (entry.seq, entry.from_status, entry.status) == (2, "Not Started", "Completed")
    assert (entry.actor, entry.user, entry.notes) == (world.bob, world.bob, "Done.")
    assert (state.status, state.version, state.completed_at is not None) == ("Completed", 1, True)
    assert share_of_lines(lines_of(target)).percent == 100


def test_a_locked_step_says_what_unlocks_it(world: World) -> None:
    target = assign(world, make_flow(world, *in_order("Tour", "Safety", "Test")))
    with pytest.raises(StepLocked, match="Opens when “Safety” is done"):
        move(target, "Test", Status.COMPLETED, world.bob)
    assert [line.locked for line in lines_of(target)] == [
        "",
        "Opens when “Tour” is done.",
        "Opens when “Safety” is done.",
    ]
    complete(target, "Tour", "Safety", "Test", by=world.bob)
    assert share_of_lines(lines_of(target)).is_complete


@pytest.mark.parametrize("before", ALLOWED)
def test_only_the_transitions_of_the_table_exist(world: World, before: str) -> None:
    target = assign(world, make_flow(world, step("Read", is_required=False)))
    ways = {
        Status.NOT_STARTED: (),
        Status.IN_PROGRESS: (Status.IN_PROGRESS,),
        Status.BLOCKED: (Status.BLOCKED,),
        Status.COMPLETED: (Status.COMPLETED,),
        Status.SKIPPED: (Status.SKIPPED,),
    }
    for status in ways[Status(before)]:
        move(target, "Read", status, world.stella, reason="Because")
    for after in Status.values:
        sid = transaction.savepoint()
        if after in ALLOWED[before]:
            assert move(target, "Read", after, world.stella, reason="Because").status == after
        else:
            with pytest.raises(IllegalTransition):
                move(target, "Read", after, world.stella, reason="Because")
            if before != after and StepState.objects.filter(target=target).exists():
                with pytest.raises(DatabaseError), transaction.atomic():
                    StepState.objects.filter(target=target).update(status=after)
        transaction.savepoint_rollback(sid)


@pytest.mark.parametrize("status", [Status.BLOCKED, Status.SKIPPED])
def test_blocked_and_skipped_need_a_reason(world: World, status: str) -> None:
    target = assign(world, make_flow(world, "Read"))
    with pytest.raises(ReasonMissing):
        move(target, "Read", status, world.stella, reason="  ")


def test_only_staff_open_a_step_again_with_a_reason(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    complete(target, "Read", by=world.bob)
    with pytest.raises(AccessDenied):
        reopen(target, "Read", by=Actor(user=world.bob), reason="I was wrong")
    with pytest.raises(ReasonMissing):
        reopen(target, "Read", by=Actor(user=world.stella), reason="")
    state = reopen(target, "Read", by=Actor(user=world.stella), reason="New text")
    assert (state.status, state.completed_at) == ("In Progress", None)


def test_a_required_step_is_skipped_by_staff_only(world: World) -> None:
    flow = make_flow(world, "Read", step("Extra", is_required=False))
    target = assign(world, flow)
    with pytest.raises(AccessDenied):
        move(target, "Read", Status.SKIPPED, world.bob, reason="No time")
    move(target, "Extra", Status.SKIPPED, world.bob, reason="No time")
    move(target, "Read", Status.SKIPPED, world.stella, reason="Knows it")


def test_outsiders_and_other_members_learn_nothing(world: World) -> None:
    target = assign(world, make_flow(world), user=world.adam)
    for person in (world.bob, world.charlie):
        with pytest.raises(LessonNotFound):
            move(target, "Read", Status.COMPLETED, person)


def test_a_checklist_is_done_when_all_is_ticked(world: World) -> None:
    items = {"items": [{"id": "a", "text": "Keys"}, {"id": "b", "text": "Badge"}]}
    target = assign(world, make_flow(world, step("Bag", "checklist", settings=items)))
    with pytest.raises(NotByHand, match="Still to tick: Keys; Badge"):
        move(target, "Bag", Status.COMPLETED, world.bob)
    # Staff may say so all the same.
    move(target, "Bag", Status.COMPLETED, world.stella, notes="Seen it")


def test_what_needs_a_review_is_completed_by_nobody_themselves(world: World) -> None:
    target = assign(world, make_flow(world, step("Essay", needs_review=True)), user=world.stella)
    with pytest.raises(NotByHand):
        move(target, "Essay", Status.COMPLETED, world.stella)
    guide = Actor(user=world.stella, agent=world.agent)
    with pytest.raises(NotByHand):
        move(target, "Essay", Status.COMPLETED, guide)


def test_a_stale_form_says_who_changed_what(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    move(target, "Read", Status.IN_PROGRESS, world.bob, version=0)
    with pytest.raises(StaleProgress, match="Bob has set this step to In Progress") as raised:
        move(target, "Read", Status.BLOCKED, world.stella, reason="Why", version=0)
    assert raised.value.now.version == 1


def test_the_same_request_twice_is_one_entry(world: World) -> None:
    target = assign(world, make_flow(world, "Read"))
    for _ in range(2):
        move(target, "Read", Status.COMPLETED, world.bob, request_id="r1")
    assert FlowProgress.objects.filter(target=target, kind="status").count() == 1


@pytest.mark.parametrize("sql", ["UPDATE {t} SET notes = 'x'", "DELETE FROM {t}"])
def test_the_log_refuses_to_be_changed(world: World, sql: str) -> None:
    assign(world, make_flow(world, "Read"))
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic():
        connection.cursor().execute(sql.format(t=FlowProgress._meta.db_table))


def test_a_published_step_refuses_to_be_changed(world: World) -> None:
    flow = make_flow(world, "Read")
    assign(world, flow)
    rows = FlowStep.objects.filter(revision=flow.published)
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        rows.update(name="Other")
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        rows.delete()


def test_fifty_updates_at_once_are_one_change(committed_world: World) -> None:
    world = committed_world
    target = assign(world, make_flow(world, "Read"))
    done: list[str] = []
    start = threading.Barrier(50)

    def update() -> None:
        start.wait()
        try:
            done.append(move(target, "Read", Status.COMPLETED, world.bob, version=0).status)
        except AppError as error:
            done.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=update) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["Completed"] + ["stale_progress"] * 49
    entries = list(target.log.order_by("seq"))
    assert [entry.seq for entry in entries] == [1, 2]
    assert replay((one.step_key, one.from_status, one.status) for one in entries) == {
        state.step_key: state.status for state in StepState.objects.filter(target=target)
    }


def test_an_optional_step_that_was_assigned_alone_counts(world: World) -> None:
    flow = make_flow(world, "Read", step("Extra", is_required=False))
    target = assign(world, flow, step_name="extra")
    assert share_of_lines(lines_of(target)).percent == shares_of([target])[target.pk].percent == 0
    complete(target, "Extra", by=world.bob)
    assert share_of_lines(lines_of(target)).percent == shares_of([target])[target.pk].percent == 100
