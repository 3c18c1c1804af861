"""Work whose worker vanishes, work that is canceled, and who is told of the end."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from one_project.accounts.models import Event
from one_project.common.errors import Conflict
from one_project.common.ids import new_id
from one_project.workflows.models import Completion, WorkItem
from one_project.workflows.services.claims import give_back, keep_alive
from one_project.workflows.services.runs import purge, start
from one_project.workflows.services.settle import WorkLost, execute_transaction, finish_work, settle
from one_project.workflows.services.sweeping import sweep
from one_project.workflows.services.work import (
    cancel_all_work,
    cancel_work,
    enqueue,
)
from one_project.workflows.types import Claimed, Outcome, Retry, Status
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import call, drain, pass_time, perform, take
from tests.workflows.pooled import fresh, lose, told

pytestmark = pytest.mark.django_db

OK = Outcome(status=Status.SUCCESS, result="ok")
TRIES = Retry(attempts=3, initial=1.0, base=2.0)


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


def test_after_a_restart_of_the_database_living_workers_may_renew_first(world: World) -> None:
    enqueue(samples.echo.options(retry=TRIES), "a")
    (work,) = take()
    pass_time(60)
    with override_settings(ONE_RESTART_GRACE=1e6):
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
