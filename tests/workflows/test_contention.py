"""Several workers, people and programs at the same thing at the same time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from one_project.accounts.models import Event
from one_project.workflows.errors import WorkflowFinished
from one_project.workflows.models import RunStatus, WorkflowEvent, WorkflowRun, WorkItem
from one_project.workflows.services.advance import advance
from one_project.workflows.services.ending import end_run
from one_project.workflows.services.pools import set_parallelism
from one_project.workflows.services.runs import (
    cancel_run,
    send_event,
    start,
)
from one_project.workflows.services.settle import settle
from one_project.workflows.services.work import cancel_work, enqueue
from one_project.workflows.types import Outcome, Status
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import drain, fresh, journal, take
from tests.workflows.deaths import noted, tell

pytestmark = pytest.mark.django_db

OK = Outcome(status=Status.SUCCESS, result=1)


# --- several at once ------------------------------------------------------------------------------


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Each in a thread with a connection of its own, begun together; results or exceptions."""
    barrier = threading.Barrier(len(calls))

    def run(each: Callable[[], Any]) -> Any:
        try:
            barrier.wait(10)
            return each()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def wait_until_blocked(count: int = 1) -> None:
    """Until so many connections wait for a lock."""
    for _ in range(20_000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0] >= count:
                return
    raise AssertionError("nobody waits")


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_take_the_same(committed_world: World) -> None:
    for number in range(20):
        enqueue(samples.double, number)
    set_parallelism("default", None)
    taken = [work.id for found in at_once(*[lambda: take(room=8)] * 4) for work in found]
    assert len(taken) == len(set(taken)) == 20


@pytest.mark.django_db(transaction=True)
def test_two_workers_hold_the_limit_of_a_pool(committed_world: World) -> None:
    set_parallelism("default", 3)
    for number in range(9):
        enqueue(samples.double, number)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert len(take(worker="w1")) == 3
            second = pool.submit(at_once, lambda: take(worker="w2"))
            wait_until_blocked()
        assert second.result(30) == [[]]


@pytest.mark.django_db(transaction=True)
def test_a_result_offered_twice_is_recorded_once(committed_world: World) -> None:
    enqueue(samples.double, 1, on_complete=tell)
    (work,) = take()
    assert sorted(at_once(*[lambda: settle(work, OK)] * 4)) == [False, False, False, True]
    assert noted("ended success") == 1


@pytest.mark.django_db(transaction=True)
def test_a_turn_is_done_by_one_worker(committed_world: World) -> None:
    run = start(samples.notes, 5, on_complete=tell)
    assert at_once(*[lambda: advance(run.pk)] * 4) == [[]] * 4
    drain()
    assert fresh(run).result == 5
    assert (Event.objects.filter(kind__startswith="note ").count(), noted("ended success")) == (
        5,
        1,
    )


@pytest.mark.django_db(transaction=True)
def test_a_key_starts_one_run_whoever_is_first(committed_world: World) -> None:
    runs = at_once(*[lambda: start(samples.three, 1, key="k")] * 4)
    assert len({run.pk for run in runs}) == 1
    items = at_once(*[lambda: enqueue(samples.double, 1, key="k")] * 4)
    assert len({item.pk for item in items}) == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_with_a_key_is_sent_once_whoever_is_first(committed_world: World) -> None:
    run = start(samples.asks)
    drain()
    events = at_once(*[lambda: send_event(run, "choice", 1, key="k")] * 4)
    assert len({event.pk for event in events}) == 1
    drain()
    assert (fresh(run).result, WorkflowEvent.objects.count()) == ("proposal2", 1)


@pytest.mark.django_db(transaction=True)
def test_a_run_is_canceled_by_one(committed_world: World) -> None:
    run = start(samples.waits, 60, on_complete=tell)
    drain()
    found = at_once(*[lambda: cancel_run(run)] * 3)
    assert sum(isinstance(each, WorkflowFinished) for each in found) == 2
    assert noted("ended canceled") == 1


@pytest.mark.django_db(transaction=True)
def test_a_cancel_and_a_result_at_the_same_time_have_one_winner(committed_world: World) -> None:
    for number in range(5):
        item = enqueue(samples.double, number, on_complete=tell)
        (work,) = take()
        settled, canceled = at_once(lambda w=work: settle(w, OK), lambda i=item: cancel_work(i))
        assert settled is not canceled
        assert WorkItem.objects.get(pk=item.pk).status == ("success" if settled else "canceled")
    assert noted("ended success") + noted("ended canceled") == 5


@pytest.mark.django_db(transaction=True)
def test_a_cancel_during_a_turn_waits_for_its_end(committed_world: World) -> None:
    run = start(samples.three, 1, on_complete=tell)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            advance(run.pk)
            canceled = pool.submit(at_once, lambda: cancel_run(run))
            wait_until_blocked()
        assert canceled.result(30)[0].status == RunStatus.CANCELED
    drain()
    assert (samples.CALLS, journal(run)) == ([], [("double", "canceled")])
    assert noted("ended canceled") == 1


@pytest.mark.django_db(transaction=True)
def test_a_parent_can_be_canceled_while_its_child_ends(committed_world: World) -> None:
    run = start(samples.parent, 1)
    advance(run.pk)
    child = WorkflowRun.objects.get(parent_step__run=run)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            locked = WorkflowRun.objects.select_for_update(of=("self",)).get(pk=child.pk)
            canceled = pool.submit(at_once, lambda: cancel_run(run))
            wait_until_blocked()
            end_run(locked, RunStatus.SUCCESS, result=4)
        (found,) = canceled.result(30)
    assert not isinstance(found, OperationalError)
    assert fresh(run).status == RunStatus.CANCELED
