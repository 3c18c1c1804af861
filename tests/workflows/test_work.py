"""The work pool: enqueue, claim, settle, lose, cancel (rows WP and T-P)."""

from collections import Counter
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from one_project.accounts.models import Event
from one_project.common.errors import InvalidInput
from one_project.workflows.current import current_work
from one_project.workflows.definitions import step
from one_project.workflows.errors import InvalidData, NonRetryable, TooLarge
from one_project.workflows.models import Pool, WorkItem
from one_project.workflows.services.claims import claim, pools_with_work
from one_project.workflows.services.pools import report, set_parallelism
from one_project.workflows.services.settle import settle
from one_project.workflows.services.work import (
    NewWork,
    cancel_work,
    enqueue,
    enqueue_many,
)
from one_project.workflows.types import Outcome, Retry, Status
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import drain, pass_time, take
from tests.workflows.pooled import fresh, lose, told

pytestmark = pytest.mark.django_db

OK = Outcome(status=Status.SUCCESS, result="ok")
TRIES = Retry(attempts=3, initial=1.0, base=2.0)


@step(kind="transaction")
def refuses(kind: str) -> None:
    samples.CALLS.append(kind)
    raise NonRetryable("never")


@step()
def asks_who_it_is() -> list[Any]:
    work = current_work()
    samples.CALLS.append((work.attempt, work.idempotency_key))
    if work.attempt == 1:
        raise ValueError("the first attempt fails")
    return [work.attempt]


@step()
def nested() -> None:
    try:
        raise KeyError("inside")
    except KeyError as error:
        raise NonRetryable("outside") from error


# --- enqueue --------------------------------------------------------------------------------------


def test_work_is_done_and_its_result_kept(world: World) -> None:
    item = enqueue(samples.double, 4, organisation=world.organisation)
    assert (item.status, item.attempt) == (Status.READY, 0)
    drain()
    item = fresh(item)
    assert (item.status, item.result, item.attempt) == (Status.SUCCESS, 8, 1)
    assert item.organisation == world.organisation
    assert item.started_at is not None
    assert item.finished_at is not None


def test_work_of_a_transaction_that_was_rolled_back_never_was(world: World) -> None:
    with transaction.atomic():
        enqueue(samples.double, 1)
        transaction.set_rollback(True)
    assert not WorkItem.objects.exists()


def test_many_are_enqueued_in_order_all_or_none(world: World) -> None:
    calls = [NewWork(step=samples.double, arguments={"number": n}, context=n) for n in range(5)]
    items = enqueue_many(calls, on_complete=samples.ended, organisation=world.organisation)
    assert [item.arguments["number"] for item in items] == [0, 1, 2, 3, 4]
    drain()
    assert sorted(told(), key=str) == [("success", n * 2, "", n) for n in range(5)]
    with pytest.raises(InvalidData):
        enqueue_many([calls[0], NewWork(step=samples.double, arguments={"number": "many"})])
    assert WorkItem.objects.count() == 5


def test_arguments_and_context_have_a_limit(world: World) -> None:
    with pytest.raises(TooLarge, match="arguments"):
        enqueue(samples.echo, "x" * 1_000_000)
    with pytest.raises(TooLarge, match="context"):
        enqueue(samples.echo, "x", on_complete=samples.ended, context="x" * 1_000_000)
    assert enqueue(samples.echo, "x" * 999_000).pk


def test_a_result_has_a_limit_and_is_not_computed_again(world: World) -> None:
    item = enqueue(samples.big.options(retry=TRIES), 819_201)
    drain()
    item = fresh(item)
    assert (item.status, item.error["kind"], item.attempt) == ("error", "TooLarge", 1)  # type: ignore[index]


def test_wrong_arguments_are_refused_where_they_are_given(world: World) -> None:
    for args in ((), ("many",), (1, 2)):
        with pytest.raises(InvalidData):
            enqueue(samples.double, *args)
    with pytest.raises(InvalidInput):
        enqueue(samples.double, 1, on_complete=samples.double)


def test_a_key_makes_it_once_per_organisation_and_step(world: World) -> None:
    first = enqueue(samples.double, 1, key="k", organisation=world.organisation)
    assert enqueue(samples.double, 2, key="k", organisation=world.organisation) == first
    drain()
    assert enqueue(samples.double, 2, key="k", organisation=world.organisation) == first
    assert enqueue(samples.double, 2, key="k", organisation=world.elsewhere) != first
    assert enqueue(samples.echo, "x", key="k", organisation=world.organisation) != first
    nobody = enqueue(samples.double, 1, key="k")
    assert enqueue(samples.double, 1, key="k") == nobody


def test_a_key_counts_also_among_many(world: World) -> None:
    first = enqueue(samples.double, 1, key="k")
    calls = [NewWork(step=samples.double, arguments={"number": n}, key="k") for n in (1, 2)]
    with transaction.atomic():
        assert enqueue_many(calls) == [first, first]


def test_delayed_work_waits_for_its_time(world: World) -> None:
    later = enqueue(samples.echo.options(run_after=60), "later")
    at = timezone.now() + timedelta(days=90)
    months = enqueue(samples.echo.options(run_at=at), "months")
    enqueue(samples.echo.options(run_at=timezone.now() - timedelta(days=900)), "overdue")
    drain()
    assert (samples.CALLS, fresh(later).status) == (["overdue"], Status.WAITING)
    pass_time(61)
    drain()
    assert samples.CALLS == ["overdue", "later"]
    pass_time(90 * 86_400)
    drain()
    assert fresh(months).status == Status.SUCCESS


def test_times_that_make_no_sense_are_refused(world: World) -> None:
    for at in (timezone.now() + timedelta(days=5 * 365), timezone.now().replace(tzinfo=None)):
        with pytest.raises(InvalidInput):
            enqueue(samples.echo.options(run_at=at), "x")


# --- which and how many ---------------------------------------------------------------------------


def test_what_is_more_urgent_comes_first_and_else_what_came_first(world: World) -> None:
    for priority, text in ((0, "a"), (5, "b"), (0, "c"), (5, "d"), (-1, "e")):
        enqueue(samples.echo.options(priority=priority), text)
    order: list[str] = []
    while taken := take(room=1):
        order.append(taken[0].arguments["text"])
        settle(taken[0], OK)
    assert order == ["b", "d", "a", "c", "e"]


def test_organisations_share_a_pool_whoever_has_the_longer_queue(world: World) -> None:
    for _ in range(20):
        enqueue(samples.echo, "many", organisation=world.organisation)
    for owner in (world.elsewhere, world.elsewhere, None, None):
        enqueue(samples.echo, "few", organisation=owner)
    owners = Counter(work.organisation_id for work in take(room=6))
    assert owners == {world.organisation.pk: 2, world.elsewhere.pk: 2, None: 2}
    assert [work.organisation_id for work in take(room=2)] == [world.organisation.pk] * 2


def test_who_has_much_running_waits_for_who_has_nothing(world: World) -> None:
    for _ in range(9):
        enqueue(samples.echo, "many", organisation=world.organisation)
    assert len(take(room=5)) == 5
    for _ in range(3):
        enqueue(samples.echo, "few", organisation=world.elsewhere)
    assert {work.organisation_id for work in take(room=3)} == {world.elsewhere.pk}


def test_a_pool_takes_no_more_than_its_parallelism(world: World) -> None:
    for number in range(15):
        enqueue(samples.double, number)
    taken = take(worker="w1")
    assert len(taken) == 10, "the default"
    assert take(worker="w2") == []
    settle(taken[0], Outcome(status=Status.SUCCESS, result=0))
    assert len(take(worker="w2")) == 1
    set_parallelism("default", 12)
    assert len(take()) == 2
    set_parallelism("default", 3)
    assert take() == []
    set_parallelism("default", None)
    assert len(take()) == 2


def test_a_paused_pool_begins_nothing_until_it_goes_on(world: World) -> None:
    set_parallelism("slow", 0)
    enqueue(samples.echo.options(pool="slow"), "a")
    enqueue(samples.echo, "b")
    assert (take("slow"), len(take())) == ([], 1)
    assert pools_with_work() == ["slow"]
    set_parallelism("slow", 1)
    assert len(take("slow")) == 1


@pytest.mark.parametrize("parallelism", [-1, 101, 201])
def test_a_limit_outside_of_its_bounds_is_refused(world: World, parallelism: int) -> None:
    with pytest.raises(InvalidInput):
        set_parallelism("default", parallelism)
    assert not Pool.objects.exists()


def test_the_database_keeps_the_bounds_too(world: World) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Pool.objects.create(name="p", parallelism=101)


def test_a_worker_takes_only_what_it_knows(world: World) -> None:
    enqueue(samples.echo, "x")
    assert claim("default", worker="old", room=5, known=[samples.double.name]) == []
    assert len(claim("default", worker="new", room=5, known=[samples.echo.name])) == 1


def test_the_report_tells_what_a_pool_did_and_has_before_it(world: World) -> None:
    samples.FAIL["bad"] = 1
    enqueue(samples.flaky, "bad")
    enqueue(samples.flaky, "good")
    drain()
    lost = enqueue(samples.echo, "lost")
    lose()
    drain()
    assert fresh(lost).status == Status.UNKNOWN
    cancel_work(enqueue(samples.echo, "canceled"))
    enqueue(samples.echo, "runs")
    assert take()
    enqueue(samples.echo, "backlog")
    enqueue(samples.echo.options(run_after=60), "waits")
    (found,) = report()
    assert (found.pool, found.completed, found.succeeded) == ("default", 4, 1)
    assert (found.failed, found.unknown, found.canceled) == (1, 1, 1)
    assert (found.running, found.backlog, found.waiting) == (1, 1, 1)
    assert found.failure_rate == 0.5
    assert found.oldest_seconds >= 0


# --- attempts -------------------------------------------------------------------------------------


def test_without_a_policy_a_failure_is_the_end(world: World) -> None:
    samples.FAIL["a"] = 1
    item = enqueue(samples.flaky, "a")
    drain()
    item = fresh(item)
    assert (item.status, item.attempt, item.error_message) == ("error", 1, "a fails")


def test_a_policy_ends_after_its_attempts(world: World) -> None:
    samples.FAIL["a"] = 99
    item = enqueue(samples.flaky.options(retry=TRIES), "a")
    for attempt in (1, 2):
        drain()
        waiting = fresh(item)
        assert (waiting.status, waiting.attempt) == (Status.WAITING, attempt)
        assert waiting.poke_at is not None
        seconds = (waiting.poke_at - timezone.now()).total_seconds()
        assert 0.5 * 2 ** (attempt - 1) - 1 < seconds <= 1.5 * 2 ** (attempt - 1)
        pass_time(10)
    drain()
    assert (fresh(item).status, samples.CALLS) == (Status.ERROR, ["a"] * 3)


def test_the_default_policy_has_five_attempts(world: World) -> None:
    samples.FAIL["a"] = 99
    enqueue(samples.flaky.options(retry=True), "a")
    for _ in range(9):
        drain()
        pass_time(60)
    assert samples.CALLS == ["a"] * 5


def test_waits_grow_and_are_spread(world: World) -> None:
    policy = Retry(initial=0.25, base=2)
    for attempt in range(1, 6):
        delays = [policy.delay(attempt) for _ in range(50)]
        assert all(0.5 <= each / (0.25 * 2 ** (attempt - 1)) <= 1.5 for each in delays)
        assert len(set(delays)) > 1


@pytest.mark.parametrize(
    ("work", "args"), [(samples.hopeless, ()), (nested, ()), (refuses, ("x",))]
)
def test_some_errors_are_never_retried(world: World, work: Any, args: tuple[str, ...]) -> None:
    item = enqueue(work.options(retry=True), *args)
    drain()
    assert (fresh(item).status, fresh(item).attempt) == (Status.ERROR, 1)
    assert fresh(item).error["kind"] == "NonRetryable"  # type: ignore[index]


def test_a_step_knows_its_attempt_and_a_key_that_stays(world: World) -> None:
    item = enqueue(asks_who_it_is.options(retry=TRIES))
    drain()
    pass_time(10)
    drain()
    assert [(1, item.pk), (2, item.pk)] == samples.CALLS
    with pytest.raises(RuntimeError):
        Context().run(current_work)


def test_an_enqueued_transaction_and_its_record_are_one(world: World) -> None:
    samples.FAIL["n"] = 1
    item = enqueue(samples.note.options(retry=TRIES), "n")
    drain()
    assert not Event.objects.filter(kind="n").exists()
    pass_time(10)
    drain()
    assert Event.objects.filter(kind="n").count() == 1
    assert fresh(item).result == "n"
