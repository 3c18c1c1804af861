"""Restarting runs, sending them events, and who is told of the end."""

import pytest

from one_project.common.errors import InvalidInput
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import (
    InvalidData,
    TooLarge,
    WorkflowFinished,
    WorkflowRunning,
)
from one_project.workflows.models import (
    Completion,
    RunStatus,
    WorkflowEvent,
    WorkflowRun,
)
from one_project.workflows.services.runs import (
    cancel_run,
    pause_run,
    restart_run,
    send_event,
    start,
)
from one_project.workflows.services.settle import wake_due
from one_project.workflows.types import Retry
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import drain, fresh, journal, pass_time
from tests.workflows.waiting import patient, told, two_questions

pytestmark = pytest.mark.django_db


@workflow()
async def sleeps_beside(ctx: WorkflowContext) -> str:
    nap = ctx.sleep(3600)
    await ctx.run_step(samples.flaky, "beside")
    await nap
    return "rested"


@workflow()
async def after_a_child(ctx: WorkflowContext) -> int:
    first = await ctx.run_workflow(samples.three, 1)
    second: int = await ctx.run_step(samples.double, first)
    return second


@workflow()
async def one_big_step(ctx: WorkflowContext, size: int) -> int:
    return len(await ctx.run_step(samples.big.options(retry=Retry(attempts=2, initial=0)), size))


# --- restart --------------------------------------------------------------------------------------


def test_a_run_that_goes_on_cannot_be_restarted(world: World) -> None:
    run = start(samples.waits, 60)
    for verb in (drain, lambda: pause_run(run)):
        verb()
        with pytest.raises(WorkflowRunning):
            restart_run(run)


def test_a_restart_from_a_number_keeps_the_steps_before(world: World) -> None:
    run = start(samples.three, 1)
    drain()
    samples.CALLS.clear()
    restart_run(run, step=1)
    assert journal(run) == [("double", "success")]
    drain()
    assert (fresh(run).status, fresh(run).result) == (RunStatus.SUCCESS, 4)
    assert samples.CALLS == [2], "the first double was not called again"


def test_a_restart_from_a_name_takes_the_last_of_that_name(world: World) -> None:
    run = start(samples.three, 1)
    drain()
    samples.CALLS.clear()
    restart_run(run, step="double")
    assert journal(run) == [("double", "success"), ("note", "success")]
    drain()
    assert (fresh(run).result, samples.CALLS) == (4, [2])
    restart_run(run, step=samples.double.name)
    assert len(journal(run)) == 2


def test_a_restart_from_an_unknown_step_is_refused(world: World) -> None:
    run = start(samples.three, 1)
    drain()
    for unknown in ("no such step", -1):
        with pytest.raises(InvalidInput):
            restart_run(run, step=unknown)
    assert fresh(run).status == RunStatus.SUCCESS


def test_a_restart_past_the_end_only_replays(world: World) -> None:
    run = start(samples.three, 1, on_complete=samples.ended)
    drain()
    restart_run(run, step=99)
    drain()
    assert fresh(run).result == 4
    assert [each for each in samples.CALLS if isinstance(each, int)] == [1, 2]
    assert told() == ["success", "success"], "each end is told"


def test_a_restart_without_a_step_fails_with_the_same_step_again(world: World) -> None:
    samples.FAIL["a"] = 1
    run = start(samples.tries, "a", 0)
    drain()
    restart_run(run)
    drain()
    assert fresh(run).status == RunStatus.ERROR
    assert samples.CALLS == ["a"]


def test_a_restart_from_the_failed_step_tries_it_again(world: World) -> None:
    samples.FAIL["a"] = 1
    run = start(samples.tries, "a", 0)
    drain()
    restart_run(run, step="flaky")
    run = fresh(run)
    assert (run.status, run.error, run.finished_at, run.purge_at) == ("running", None, None, None)
    drain()
    assert fresh(run).result == "a"
    assert samples.CALLS == ["a", "a"]


def test_a_canceled_run_can_be_restarted_from_a_step(world: World) -> None:
    run = start(samples.waits, 60)
    drain()
    cancel_run(run)
    restart_run(run, step=0)
    drain()
    assert journal(run) == [("sleep", "waiting")]
    pass_time(61)
    drain()
    assert fresh(run).result == "awake"


def test_a_canceled_run_restarted_as_a_whole_goes_on_where_it_was(world: World) -> None:
    run = start(samples.waits, 60)
    drain()
    cancel_run(run)
    restart_run(run)
    drain()
    pass_time(61)
    drain()
    assert fresh(run).result == "awake"


def test_a_restart_begins_again_what_the_failure_had_canceled(world: World) -> None:
    samples.FAIL["beside"] = 1
    run = start(sleeps_beside)
    drain()
    assert journal(run) == [("sleep", "canceled"), ("flaky", "error")]
    restart_run(run, step="flaky")
    drain()
    assert journal(run) == [("sleep", "waiting"), ("flaky", "success")]
    pass_time(3601)
    drain()
    assert fresh(run).result == "rested"


def test_a_restart_deletes_the_events_of_the_steps_it_deletes(world: World) -> None:
    run = start(two_questions)
    send_event(run, "answer", "a", key="1")
    send_event(run, "answer", "b", key="2")
    drain()
    assert fresh(run).result == ["a", "b"]
    restart_run(run, step="answer")
    assert list(WorkflowEvent.objects.values_list("payload", flat=True)) == ["a"]
    send_event(run, "answer", "c", key="2")
    drain()
    assert fresh(run).result == ["a", "c"]


def test_a_restart_deletes_the_children_of_the_steps_it_deletes(world: World) -> None:
    run = start(after_a_child)
    drain()
    child = WorkflowRun.objects.get(parent_step__run=run)
    restart_run(run, step=1)
    assert WorkflowRun.objects.filter(pk=child.pk).exists()
    drain()
    restart_run(run, step=0)
    assert not WorkflowRun.objects.filter(pk=child.pk).exists()
    drain()
    assert fresh(run).result == 8


def test_a_restarted_run_is_not_charged_for_what_was_deleted(world: World) -> None:
    run = start(one_big_step, 800_000)
    drain()
    for _ in range(12):
        restart_run(run, step=0)
        drain()
    assert fresh(run).status == RunStatus.SUCCESS


def test_a_restarted_run_has_its_time_out_again(world: World) -> None:
    run = start(samples.slow)
    drain()
    cancel_run(run)
    restart_run(run, step=0)
    drain()
    pass_time(31)
    drain()
    assert fresh(run).status == RunStatus.ERROR


# --- events ---------------------------------------------------------------------------------------


def test_events_of_one_name_are_consumed_in_the_order_they_were_sent(world: World) -> None:
    run = start(two_questions)
    for answer in ("a", "b", "c"):
        send_event(run, "answer", answer)
    drain()
    assert fresh(run).result == ["a", "b"]
    assert WorkflowEvent.objects.get(step=None).payload == "c"


def test_an_event_with_the_same_key_is_sent_once(world: World) -> None:
    run = start(two_questions)
    first = send_event(run, "answer", "a", key="1")
    assert send_event(run, "answer", "other", key="1") == first
    drain()
    assert send_event(run, "answer", "other", key="1") == first
    assert fresh(run).status == RunStatus.RUNNING
    send_event(run, "answer", "b", key="2")
    drain()
    assert fresh(run).result == ["a", "b"]
    assert send_event(run, "answer", "b", key="2").payload == "b", "also after the end"


def test_an_event_for_an_ended_run_is_refused(world: World) -> None:
    run = start(samples.three, 1)
    drain()
    with pytest.raises(WorkflowFinished):
        send_event(run, "choice", 1)


def test_an_event_nobody_can_store_is_refused(world: World) -> None:
    run = start(samples.asks)
    with pytest.raises(TooLarge):
        send_event(run, "choice", "x" * 1_000_001)
    with pytest.raises(InvalidData):
        send_event(run, "choice", object())
    for name in ("", "x" * 201):
        with pytest.raises(InvalidInput):
            send_event(run, name)
    assert not WorkflowEvent.objects.exists()


@workflow()
async def listens(ctx: WorkflowContext) -> str:
    winner = await ctx.first(ctx.sleep(60), ctx.wait_event("word", str))
    if winner.place == 1:
        return f"at once: {winner.value}"
    return f"later: {await ctx.wait_event('word', str, timeout=60)}"


def test_an_event_that_comes_with_the_time_out_is_kept_for_the_next_wait(world: World) -> None:
    run = start(listens)
    drain()
    pass_time(61)
    wake_due()
    send_event(run, "word", "hello")
    for _ in range(2):
        drain()
        pass_time(61)
    drain()
    assert fresh(run).result == "later: hello"


# --- on_complete ----------------------------------------------------------------------------------


def test_on_complete_is_called_once_with_the_result_and_the_context(world: World) -> None:
    samples.FAIL["a"] = 1
    context = {"for": ["somebody", 1]}
    good = start(samples.three, 3, on_complete=samples.ended, context=context)
    drain()
    bad = start(samples.tries, "a", 0, on_complete=samples.ended)
    drain()
    stopped = start(samples.waits, 9, on_complete=samples.ended)
    cancel_run(stopped)
    drain()
    pass_time(5000)
    drain()
    assert [each for each in samples.CALLS if isinstance(each, tuple)] == [
        ("success", 12, "", context),
        ("error", None, "a fails", None),
        ("canceled", None, "", None),
    ]
    assert {fresh(run).completion for run in (good, bad, stopped)} == {Completion.DONE}


def test_an_on_complete_that_fails_is_tried_again(world: World) -> None:
    samples.FAIL["ended"] = 2
    run = start(samples.three, 1, on_complete=samples.ended)
    drain()
    ended = fresh(run)
    assert (ended.status, ended.result) == (RunStatus.SUCCESS, 4), "the end stands"
    assert (ended.completion, ended.completion_tries) == (Completion.PENDING, 1)
    assert "ended fails" in ended.completion_error
    for _ in range(2):
        pass_time(10)
        drain()
    ended = fresh(run)
    assert (ended.completion, ended.completion_error, ended.poke_at) == (Completion.DONE, "", None)
    assert told() == ["success"] * 3


def test_an_on_complete_that_always_fails_is_given_up_after_eight_tries(world: World) -> None:
    samples.FAIL["ended"] = 99
    run = start(samples.three, 1, on_complete=samples.ended)
    for _ in range(12):
        drain()
        pass_time(10_000)
    ended = fresh(run)
    assert told() == ["success"] * 8
    assert (ended.status, ended.completion) == (RunStatus.SUCCESS, Completion.FAILED)
    assert ended.poke_at is None


def test_a_child_of_a_run_has_ended_when_its_completion_is_called(world: World) -> None:
    run = start(patient, on_complete=samples.ended)
    drain()
    cancel_run(run)
    assert told() == ["canceled"]
    assert not WorkflowRun.objects.open().exists()
