"""The work pool: enqueue, claim, settle, lose, cancel (rows WP and T-P)."""

from collections import Counter
from contextlib import suppress
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from one_project.accounts.models import Event
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.ids import new_id
from one_project.workflows.current import current_work
from one_project.workflows.definitions import step
from one_project.workflows.errors import InvalidData, NonRetryable, TooLarge
from one_project.workflows.models import Completion, Pool, WorkItem
from one_project.workflows.services.pools import report, set_parallelism
from one_project.workflows.services.runs import purge, start
from one_project.workflows.services.settle import WorkLost, execute_transaction, finish_work, settle
from one_project.workflows.services.sweeping import sweep
from one_project.workflows.services.work import (
    NewWork,
    cancel_all_work,
    cancel_work,
    claim,
    enqueue,
    enqueue_many,
    give_back,
    keep_alive,
    pools_with_work,
)
from one_project.workflows.types import Claimed, Outcome, Retry, Status
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import call, drain, pass_time, perform, take

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


def fresh(item: WorkItem) -> WorkItem:
    return WorkItem.objects.get(pk=item.pk)


def told() -> list[tuple[Any, ...]]:
    """What ``samples.ended`` was called with."""
    return [each for each in samples.CALLS if isinstance(each, tuple)]


def lose(*, times: int = 1) -> None:
    """A worker takes what is ready and is never heard of again."""
    for _ in range(times):
        assert take()
        pass_time(60)


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


# --- leases ---------------------------------------------------------------------------------------


def test_a_live_lease_is_not_taken_away(world: World) -> None:
    enqueue(samples.echo.options(retry=TRIES), "a")
    (work,) = take()
    pass_time(work.lease - 1)
    drain()
    assert samples.CALLS == []
    assert keep_alive([(work.id, work.token)]) == {work.id: False}
    pass_time(work.lease - 1)
    drain()
    assert settle(work, OK) is True


def test_lost_work_with_a_policy_is_tried_again(world: World) -> None:
    item = enqueue(samples.echo.options(retry=TRIES), "a", on_complete=samples.ended)
    lose()
    drain()
    assert (fresh(item).status, fresh(item).attempt) == (Status.SUCCESS, 2)
    assert told() == [("success", "a", "", None)]


def test_lost_attempts_count(world: World) -> None:
    item = enqueue(samples.echo.options(retry=TRIES), "a", on_complete=samples.ended)
    for _ in range(3):
        lose()
        sweep()
    drain()
    item = fresh(item)
    assert (item.status, item.attempt, item.error["kind"]) == ("error", 3, "WorkerLost")  # type: ignore[index]
    assert [each[0] for each in told()] == ["error"]
    assert "a" not in samples.CALLS


def test_lost_work_without_a_policy_is_unknown_and_not_begun_again(world: World) -> None:
    item = enqueue(samples.echo, "a", on_complete=samples.ended)
    lose()
    drain()
    item = fresh(item)
    assert (item.status, item.error["kind"]) == (Status.UNKNOWN, "WorkerLost")  # type: ignore[index]
    assert [each[0] for each in told()] == ["error"]
    assert take() == []


def test_work_that_felled_ten_workers_is_not_tried_again(world: World) -> None:
    deadly = enqueue(samples.echo.options(retry=Retry(attempts=99)), "a")
    for _ in range(10):
        lose()
        sweep()
    assert take() == []
    assert (fresh(deadly).status, fresh(deadly).error["kind"]) == ("error", "Poison")  # type: ignore[index]


def test_an_attempt_that_is_recorded_clears_the_count_of_fallen_workers(world: World) -> None:
    samples.FAIL["a"] = 1
    item = enqueue(samples.flaky.options(retry=Retry(attempts=99, initial=0)), "a")
    for _ in range(2):
        for _ in range(9):
            lose()
            sweep()
        (work,) = take()
        perform(work)
        sweep()
    assert fresh(item).status == Status.SUCCESS


def test_who_lost_the_lease_records_nothing(world: World) -> None:
    item = enqueue(samples.echo.options(retry=TRIES), "a", on_complete=samples.ended)
    (old,) = take(worker="w1")
    pass_time(60)
    assert keep_alive([(old.id, new_id())]) == {}
    sweep()
    (new,) = take(worker="w2")
    assert settle(old, Outcome(status=Status.SUCCESS, result="old")) is False
    assert keep_alive([(old.id, old.token), (new.id, new.token)]) == {new.id: False}
    assert settle(new, OK) is True
    assert settle(new, Outcome(status=Status.SUCCESS, result="twice")) is False
    assert (fresh(item).result, [each[0] for each in told()]) == ("ok", ["success"])


def test_a_transaction_that_lost_its_lease_has_no_effect(world: World) -> None:
    enqueue(samples.note, "once")
    (old,) = take(worker="w1")
    pass_time(60)
    drain()
    assert Event.objects.filter(kind="once").count() == 1
    with suppress(WorkLost):
        assert execute_transaction(old) is False
    assert Event.objects.filter(kind="once").count() == 1


def test_a_transaction_that_was_canceled_meanwhile_has_no_effect(world: World) -> None:
    item = enqueue(samples.note, "canceled")
    (work,) = take()
    cancel_work(item)
    with suppress(WorkLost):
        execute_transaction(work)
    assert not Event.objects.filter(kind="canceled").exists()


def test_a_function_can_record_its_success_with_its_own_writes(world: World) -> None:
    item = enqueue(samples.echo.options(retry=TRIES), "a")
    (work,) = take()
    finish_work(work, "mine")
    assert settle(work, OK) is False
    assert fresh(item).result == "mine"
    with pytest.raises(WorkLost):
        finish_work(work, "again")


def test_what_is_given_back_is_ready_at_once_and_counts_as_never_begun(world: World) -> None:
    item = enqueue(samples.echo.options(retry=TRIES), "a")
    (work,) = take(worker="w1")
    give_back([(work.id, work.token)])
    found = fresh(item)
    assert (found.status, found.attempt, found.pickups) == (Status.READY, 0, 0)
    assert settle(work, OK) is False
    (again,) = take(worker="w2")
    give_back([(work.id, work.token)])
    assert fresh(item).status == Status.RUNNING, "an old token gives nothing back"
    assert settle(again, OK) is True
    give_back([(again.id, again.token)])
    assert fresh(item).status == Status.SUCCESS


def test_lost_work_is_purged_like_other_work(world: World) -> None:
    enqueue(samples.echo, "a")
    lose()
    drain()
    pass_time(31 * 86_400)
    assert purge() == 1


def test_old_work_is_purged(world: World) -> None:
    samples.FAIL["bad"] = 1
    enqueue(samples.echo, "a")
    enqueue(samples.flaky, "bad")
    cancel_work(enqueue(samples.echo, "b"))
    waiting = enqueue(samples.echo.options(run_after=timedelta(days=365)), "c")
    drain()
    assert purge() == 0
    pass_time(31 * 86_400)
    assert purge() == 3
    assert list(WorkItem.objects.all()) == [waiting]


@pytest.mark.parametrize("result", ["a\x00b", 2**70, "\ud800"])
def test_a_result_the_database_cannot_store_fails_the_work(world: World, result: Any) -> None:
    item = enqueue(samples.echo, "a")
    (work,) = take()
    with transaction.atomic():
        settle(work, Outcome(status=Status.SUCCESS, result=result))
    assert fresh(item).status in {Status.ERROR, Status.SUCCESS}


# --- cancel ---------------------------------------------------------------------------------------


def test_canceled_work_never_begins(world: World) -> None:
    ready = enqueue(samples.echo, "a", on_complete=samples.ended)
    later = enqueue(samples.echo.options(run_after=60), "b", on_complete=samples.ended)
    assert cancel_work(ready) is True
    assert cancel_work(later) is True
    pass_time(120)
    drain()
    assert [each[0] for each in samples.CALLS] == ["canceled", "canceled"]


def test_canceled_work_that_runs_is_told_and_not_recorded(world: World) -> None:
    item = enqueue(samples.echo.options(retry=TRIES), "a", on_complete=samples.ended)
    (work,) = take()
    assert cancel_work(item) is True
    assert keep_alive([(work.id, work.token)]) == {}
    assert settle(work, call(work)) is False
    pass_time(60)
    drain()
    assert fresh(item).status == Status.CANCELED
    assert [each[0] for each in told()] == ["canceled"]


def test_canceled_work_that_waits_for_another_attempt_has_none(world: World) -> None:
    samples.FAIL["a"] = 9
    item = enqueue(samples.flaky.options(retry=TRIES), "a")
    drain()
    assert cancel_work(item) is True
    pass_time(60)
    drain()
    assert samples.CALLS == ["a"]


def test_ended_work_cannot_be_canceled(world: World) -> None:
    item = enqueue(samples.echo, "a", on_complete=samples.ended)
    drain()
    assert cancel_work(item) is False
    assert (fresh(item).status, len(told())) == (Status.SUCCESS, 1)
    item.delete()
    assert cancel_work(item) is False


def test_a_step_of_a_workflow_is_not_canceled_by_itself(world: World) -> None:
    run = start(samples.waits, 60)
    drain()
    with pytest.raises(Conflict):
        cancel_work(WorkItem.objects.get(run=run))


def test_all_open_work_of_a_pool_is_canceled(world: World) -> None:
    for number in range(70):
        owner = world.organisation if number % 2 else world.elsewhere
        enqueue(samples.double.options(pool="p"), number, organisation=owner)
    enqueue(samples.double, 1)
    run = start(samples.three, 1)
    assert len(take("p", room=4)) == 4
    assert cancel_all_work(pool="p", organisation=world.organisation) == 35
    assert cancel_all_work(pool="p") == 35
    enqueue(samples.double.options(pool="p"), 99)
    drain()
    assert samples.CALLS.count(99) == 1, "what comes later is spared"
    run.refresh_from_db()
    assert run.status == "success"
    assert WorkItem.objects.filter(pool="p", status=Status.CANCELED).count() == 70


# --- completion -----------------------------------------------------------------------------------


def test_on_complete_is_called_once_for_every_kind_of_end(world: World) -> None:
    samples.FAIL["b"] = 1
    for text in ("a", "b"):
        enqueue(samples.flaky, text, on_complete=samples.ended, context=text)
    drain()
    cancel_work(enqueue(samples.flaky, "c", on_complete=samples.ended, context="c"))
    drain()
    pass_time(9000)
    drain()
    assert sorted(told()) == [
        ("canceled", None, "", "c"),
        ("error", None, "b fails", "b"),
        ("success", "a", "", "a"),
    ]


def test_an_on_complete_that_fails_does_not_stop_the_pool(world: World) -> None:
    samples.FAIL["ended"] = 1
    items = [enqueue(samples.double, n, on_complete=samples.ended) for n in (1, 2)]
    drain()
    assert {fresh(item).status for item in items} == {Status.SUCCESS}
    assert Counter(fresh(item).completion for item in items) == {
        Completion.PENDING: 1,
        Completion.DONE: 1,
    }
    pass_time(10)
    drain()
    assert {fresh(item).completion for item in items} == {Completion.DONE}
    assert len(told()) == 3


def test_an_on_complete_is_given_up_after_eight_tries(world: World) -> None:
    samples.FAIL["ended"] = 99
    item = enqueue(samples.double, 1, on_complete=samples.ended)
    for _ in range(12):
        drain()
        pass_time(10_000)
    assert (fresh(item).completion, len(told())) == (Completion.FAILED, 8)


def test_claimed_work_carries_all_a_worker_needs(world: World) -> None:
    item = enqueue(samples.echo.options(timeout=3, retry=TRIES), "a", organisation=world.elsewhere)
    (work,) = take()
    assert isinstance(work, Claimed)
    assert (work.id, work.arguments, work.timeout) == (item.pk, {"text": "a"}, 3)
    assert work.retry == TRIES.to_json()
