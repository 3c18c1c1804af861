"""The engine of a worker process, with real Postgres and real Redis."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from one_project.accounts.models import Event
from one_project.workflows.current import current_work
from one_project.workflows.definitions import step
from one_project.workflows.models import RunStatus, WorkItem
from one_project.workflows.services.pools import set_parallelism
from one_project.workflows.services.runs import cancel_run, send_event, start
from one_project.workflows.services.work import cancel_work, enqueue
from one_project.workflows.worker.engine import Engine
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import fresh, pass_time

pytestmark = pytest.mark.django_db(transaction=True)

DEADLINE = 15.0


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll the truth (Postgres) until it holds; fails after DEADLINE."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


@contextmanager
def running(count: int = 1) -> Iterator[list[Engine]]:
    engines = [Engine() for _ in range(count)]
    for engine in engines:
        engine.start()
    try:
        yield engines
    finally:
        for engine in engines:
            engine.stop()


STARTED = threading.Semaphore(0)
GO_ON = threading.Event()
SEEN: list[object] = []


@step(lease=3.0)
async def hangs() -> None:
    STARTED.release()
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        SEEN.append("cancelled")
        raise


@step(lease=3.0)
def blocks() -> str:
    STARTED.release()
    assert GO_ON.wait(20)
    SEEN.append(current_work().is_canceled)
    return "done"


@pytest.fixture(autouse=True)
def unblocked() -> Iterator[None]:
    GO_ON.clear()
    SEEN.clear()
    while STARTED.acquire(blocking=False):
        pass
    yield
    GO_ON.set()


def is_over(run: object) -> Callable[[], bool]:
    return lambda: not fresh(run).is_open  # type: ignore[arg-type]


def test_runs_go_through_without_anybody_polling(committed_world: World) -> None:
    with running():
        runs = [start(samples.three, number) for number in range(20)]
        for run in runs:
            wait_until(is_over(run))
    assert [fresh(run).result for run in runs] == [number * 4 for number in range(20)]
    assert Event.objects.filter(kind__startswith="noted").count() == 20


def test_two_engines_share_and_repeat_nothing(committed_world: World) -> None:
    with running(2):
        runs = [start(samples.mapped, list(range(20)), limit=5) for _ in range(4)]
        for run in runs:
            wait_until(is_over(run))
    assert sorted(samples.CALLS) == sorted(list(range(20)) * 4)


def test_an_event_wakes_a_run(committed_world: World) -> None:
    with running():
        run = start(samples.asks)
        wait_until(lambda: WorkItem.objects.filter(run=run).exists())
        send_event(run, "choice", 1)
        wait_until(is_over(run))
    assert fresh(run).result == "proposal2"


def test_children_and_sleeps(committed_world: World) -> None:
    with running():
        run, sleeper = start(samples.parent, 2), start(samples.waits, 0.05)
        wait_until(is_over(run))
        wait_until(is_over(sleeper))
    assert fresh(run).result == [8, 200]
    assert fresh(sleeper).result == "awake"


def test_canceled_work_is_told(committed_world: World) -> None:
    with running():
        item = enqueue(hangs)
        assert STARTED.acquire(timeout=DEADLINE)
        assert cancel_work(item)
        wait_until(lambda: SEEN == ["cancelled"])
    item.refresh_from_db()
    assert item.status == "canceled"


def test_a_canceled_run_tells_its_sync_step(committed_world: World) -> None:
    from one_project.workflows.definitions import workflow
    from one_project.workflows.engine.context import WorkflowContext

    @workflow(name="tests.blocking")
    async def blocking(ctx: WorkflowContext) -> None:
        await ctx.run_step(blocks)

    with running():
        run = start(blocking)
        assert STARTED.acquire(timeout=DEADLINE)
        cancel_run(run)
        wait_until(lambda: WorkItem.objects.get(run=run).status == "canceled")
        GO_ON.set()
        wait_until(lambda: bool(SEEN))
    assert fresh(run).status == RunStatus.CANCELED
    assert WorkItem.objects.get(run=run).result is None


def test_a_step_that_takes_too_long_is_ended(committed_world: World) -> None:
    with running():
        item = enqueue(hangs.options(timeout=0.1))
        wait_until(lambda: WorkItem.objects.get(pk=item.pk).status == "error")
    item.refresh_from_db()
    assert item.error["kind"] == "Timeout"  # type: ignore[index]


def test_an_orderly_end_gives_work_back_at_once(committed_world: World) -> None:
    with running():
        item = enqueue(hangs.options(retry=True))
        assert STARTED.acquire(timeout=DEADLINE)
    item.refresh_from_db()
    assert (item.status, item.attempt) == ("ready", 0)


def test_an_orderly_end_does_not_repeat_what_it_had_to_break_off(committed_world: World) -> None:
    with running():
        item = enqueue(hangs)
        assert STARTED.acquire(timeout=DEADLINE)
    pass_time(60)
    with running():
        wait_until(lambda: not WorkItem.objects.get(pk=item.pk).is_open)
    item.refresh_from_db()
    assert (item.status, item.attempt) == ("unknown", 1)


def test_an_orderly_end_waits_for_what_must_not_be_repeated(committed_world: World) -> None:
    with running():
        item = enqueue(blocks)
        assert STARTED.acquire(timeout=DEADLINE)
        GO_ON.set()
    item.refresh_from_db()
    assert (item.status, item.result, item.attempt) == ("success", "done", 1)


def test_a_pool_runs_no_more_than_it_may(committed_world: World) -> None:
    set_parallelism("narrow", 2)
    with running(2):
        items = [enqueue(blocks.options(pool="narrow")) for _ in range(6)]
        assert STARTED.acquire(timeout=DEADLINE)
        assert STARTED.acquire(timeout=DEADLINE)
        assert WorkItem.objects.filter(pool="narrow", status="running").count() == 2
        GO_ON.set()
        wait_until(
            lambda: not WorkItem.objects.open().filter(pk__in=[i.pk for i in items]).exists()
        )


def test_leases_of_long_work_are_renewed(committed_world: World) -> None:
    with running(2):
        item = enqueue(blocks)
        assert STARTED.acquire(timeout=DEADLINE)
        first = WorkItem.objects.get(pk=item.pk)
        wait_until(lambda: WorkItem.objects.get(pk=item.pk).poke_at != first.poke_at)
        assert WorkItem.objects.get(pk=item.pk).token == first.token
        GO_ON.set()
        wait_until(lambda: not WorkItem.objects.get(pk=item.pk).is_open)
    item.refresh_from_db()
    assert (item.result, item.attempt) == ("done", 1)
