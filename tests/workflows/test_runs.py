"""What a workflow function may count on (rows WF and T-W)."""

import pytest

from one_project.accounts.models import Event
from one_project.workflows.errors import InvalidData
from one_project.workflows.models import RunStatus, WorkflowRun, WorkItem
from one_project.workflows.services.runs import send_event, start
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import drain, fresh, journal, pass_time

pytestmark = pytest.mark.django_db


def test_results_pass_from_step_to_step(world: World) -> None:
    run = start(samples.three, 3)
    drain()
    run = fresh(run)
    assert (run.status, run.result, run.error) == (RunStatus.SUCCESS, 12, None)
    assert samples.CALLS == [3, 6]
    assert journal(run) == [("double", "success"), ("note", "success"), ("double", "success")]
    assert Event.objects.filter(kind="noted 6").count() == 1


def test_parallel_steps_all_run_and_keep_their_order(world: World) -> None:
    run = start(samples.together, [3, 1, 2])
    drain()
    assert fresh(run).result == [6, 2, 4]
    assert sorted(samples.CALLS) == [1, 2, 3]


def test_map_begins_no_more_than_its_limit(world: World) -> None:
    from one_project.workflows.services.advance import advance

    run = start(samples.mapped, list(range(7)), limit=3)
    advance(run.pk)
    assert len(journal(run)) == 3
    drain()
    assert fresh(run).result == [0, 2, 4, 6, 8, 10, 12]


def test_a_chain_of_transactions(world: World) -> None:
    run = start(samples.notes, 5)
    drain()
    assert fresh(run).result == 5
    assert Event.objects.filter(kind__startswith="note ").count() == 5


def test_a_run_that_was_rolled_back_never_was(world: World) -> None:
    from django.db import transaction

    with transaction.atomic():
        start(samples.three, 1)
        transaction.set_rollback(True)
    assert not WorkflowRun.objects.exists()


def test_the_same_key_starts_one_run(world: World) -> None:
    first = start(samples.three, 1, key="order 7", organisation=world.organisation)
    assert start(samples.three, 2, key="order 7", organisation=world.organisation) == first
    assert start(samples.three, 2, key="order 7", organisation=world.elsewhere) != first


def test_arguments_are_checked_before_anything_is_stored(world: World) -> None:
    with pytest.raises(InvalidData, match="number"):
        start(samples.three, "many")
    with pytest.raises(InvalidData):
        start(samples.three)
    assert not WorkflowRun.objects.exists()


def test_a_failed_step_fails_the_run_unless_it_is_caught(world: World) -> None:
    samples.FAIL.update(a=1, b=1)
    failed, caught = start(samples.tries, "a", 0), start(samples.catches, "b")
    drain()
    assert fresh(failed).status == RunStatus.ERROR
    assert fresh(failed).error["kind"] == "ValueError"  # type: ignore[index]
    assert fresh(caught).result == "caught ValueError: b fails"
    assert samples.CALLS == ["a", "b"], "without a policy nothing is tried twice"


def test_a_policy_tries_again_with_growing_waits(world: World) -> None:
    samples.FAIL["a"] = 3
    run = start(samples.tries, "a", 5)
    for attempt in range(1, 4):
        drain()
        step = WorkItem.objects.get(run=run)
        assert (step.status, step.attempt) == ("waiting", attempt)
        assert step.poke_at is not None
        pass_time(0.5 * 2 ** (attempt - 1) * 1.6)
    drain()
    assert fresh(run).result == "a"
    assert samples.CALLS == ["a"] * 4


def test_a_policy_ends(world: World) -> None:
    samples.FAIL["a"] = 9
    run = start(samples.tries, "a", 2)
    for _ in range(4):
        drain()
        pass_time(60)
    assert fresh(run).status == RunStatus.ERROR
    assert samples.CALLS == ["a", "a"]


def test_a_transaction_that_fails_leaves_nothing(world: World) -> None:
    samples.FAIL["noted 2"] = 1
    run = start(samples.three, 1)
    drain()
    assert fresh(run).status == RunStatus.ERROR
    assert not Event.objects.filter(kind="noted 2").exists()


def test_sleep_costs_nothing_and_may_last_months(world: World) -> None:
    run = start(samples.waits, 90 * 86_400)
    drain()
    pass_time(89 * 86_400)
    drain()
    assert fresh(run).status == RunStatus.RUNNING
    pass_time(2 * 86_400)
    drain()
    assert fresh(run).result == "awake"


def test_an_event_may_come_before_or_after_the_wait(world: World) -> None:
    before, after = start(samples.asks), start(samples.asks)
    send_event(before, "choice", 1)
    drain()
    assert fresh(before).result == "proposal2"
    assert fresh(after).status == RunStatus.RUNNING
    send_event(after, "choice", 0)
    drain()
    assert fresh(after).result == "proposal1"


def test_an_event_that_does_not_come_in_time(world: World) -> None:
    run = start(samples.asks, 60)
    drain()
    pass_time(61)
    drain()
    assert fresh(run).result == "too late"


def test_an_event_can_be_an_error(world: World) -> None:
    run = start(samples.asks)
    send_event(run, "choice", error="refused")
    drain()
    assert fresh(run).result == "error refused"


def test_an_event_of_the_wrong_type_fails_the_wait(world: World) -> None:
    run = start(samples.asks)
    send_event(run, "choice", "many")
    drain()
    assert fresh(run).status == RunStatus.ERROR
    assert "choice" in fresh(run).error["message"]  # type: ignore[index]


@pytest.mark.parametrize(("sent", "result"), [(True, "event"), (False, "sleep")])
def test_a_race_between_an_event_and_a_time(world: World, sent: bool, result: str) -> None:
    run = start(samples.races)
    drain()
    if sent:
        send_event(run, "go", "now")
    else:
        pass_time(61)
    drain()
    assert fresh(run).result == result
    loser = 1 if sent else 0
    assert journal(run)[loser][1] == "canceled"


def test_children_give_their_results(world: World) -> None:
    run = start(samples.parent, 1, organisation=world.organisation, started_by=world.bob)
    drain()
    assert fresh(run).result == [4, 200]
    child = WorkflowRun.objects.get(parent_step__run=run)
    assert (child.organisation, child.started_by) == (world.organisation, world.bob)


def test_a_failed_child_fails_its_parent(world: World) -> None:
    samples.FAIL["a"] = 1
    run = start(samples.parent_of_failure, "a")
    drain()
    assert fresh(run).status == RunStatus.ERROR


def test_branches_go_on_independently(world: World) -> None:
    run = start(samples.branches)
    for _ in range(3):
        drain()
        pass_time(11)
    drain()
    assert fresh(run).result == ["x1x2", "y1y2"]
    assert samples.CALLS == ["y1", "y2", "x1", "x2"]


def test_chance_and_time_are_the_same_on_replay(world: World) -> None:
    run, other = start(samples.chance), start(samples.chance)
    drain()
    first = fresh(run).result
    assert first[0] != first[1]
    assert first[2] >= 0
    assert fresh(other).result[0] != first[0]


@pytest.mark.parametrize(
    ("sample", "message"),
    [(samples.uses_database, "database"), (samples.awaits_foreign, "context")],
)
def test_a_workflow_function_only_decides(world: World, sample: object, message: str) -> None:
    run = start(sample)  # type: ignore[arg-type]
    drain()
    assert fresh(run).status == RunStatus.ERROR
    assert message in fresh(run).error["message"]  # type: ignore[index]


def test_a_run_has_a_time_out(world: World) -> None:
    run = start(samples.slow)
    drain()
    pass_time(31)
    drain()
    assert fresh(run).error["kind"] == "Timeout"  # type: ignore[index]
    assert journal(run) == [("sleep", "canceled")]


def test_a_result_that_is_too_large_fails_the_step(world: World) -> None:
    run = start(samples.returns_big, 900_002, on_complete=samples.ended)
    drain()
    assert "too large" in fresh(run).error["message"]  # type: ignore[index]
    assert samples.CALLS[-1][0] == "error"


def test_a_journal_that_is_too_large_fails_the_run(world: World) -> None:
    run = start(samples.returns_big, 800_000, times=12)
    drain()
    assert "journal" in fresh(run).error["message"]  # type: ignore[index]


def test_a_result_of_the_wrong_type_fails_the_run(world: World) -> None:
    run = start(samples.returns_wrong)
    drain()
    assert "result of returns_wrong" in fresh(run).error["message"]  # type: ignore[index]
