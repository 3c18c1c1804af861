"""What people and programs do with runs: cancel, pause, restart, send, clean up, be told."""

from typing import Any

import pytest
from django.utils import timezone

from one_project.common.errors import InvalidInput
from one_project.workflows.definitions import step, workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import (
    InvalidData,
    TooLarge,
    WorkflowFinished,
    WorkflowNotFound,
    WorkflowRunning,
)
from one_project.workflows.models import (
    Completion,
    RunStatus,
    WorkflowEvent,
    WorkflowRun,
    WorkItem,
)
from one_project.workflows.services.advance import advance
from one_project.workflows.services.runs import (
    cancel_run,
    clean_up,
    pause_run,
    purge,
    restart_run,
    resume_run,
    send_event,
    start,
)
from one_project.workflows.services.settle import settle, wake_due
from one_project.workflows.types import Retry, Status
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import call, drain, fresh, journal, pass_time, take

pytestmark = pytest.mark.django_db


@step(kind="transaction")
def measure(text: str) -> int:
    return len(text)


@workflow()
async def two_questions(ctx: WorkflowContext) -> list[str]:
    first = await ctx.wait_event("answer", str)
    await ctx.run_step(samples.echo, "between")
    return [first, await ctx.wait_event("answer", str)]


@workflow()
async def patient(ctx: WorkflowContext) -> str:
    await ctx.run_workflow(samples.waits, 3600)
    return "done"


@workflow()
async def grandparent(ctx: WorkflowContext) -> str:
    return str(await ctx.run_workflow(patient))


@workflow()
async def sleeps_beside(ctx: WorkflowContext) -> str:
    nap = ctx.sleep(3600)
    await ctx.run_step(samples.flaky, "beside")
    await nap
    return "rested"


@workflow()
async def again_and_again(ctx: WorkflowContext) -> list[int]:
    return [await ctx.run_step(samples.double, number) for number in range(3)]


@workflow()
async def after_a_child(ctx: WorkflowContext) -> int:
    first = await ctx.run_workflow(samples.three, 1)
    second: int = await ctx.run_step(samples.double, first)
    return second


@workflow(retention_days=None)
async def kept(ctx: WorkflowContext) -> None:
    return None


@workflow(retention_days=2)
async def kept_shortly(ctx: WorkflowContext) -> None:
    await ctx.run_workflow(samples.waits, 0)


@workflow()
async def one_big_step(ctx: WorkflowContext, size: int) -> int:
    return len(await ctx.run_step(samples.big.options(retry=Retry(attempts=2, initial=0)), size))


def told() -> list[Any]:
    """The kinds of ends that ``samples.ended`` was called with."""
    return [each[0] for each in samples.CALLS if isinstance(each, tuple)]


# --- start ----------------------------------------------------------------------------------------


def test_a_start_with_a_key_of_an_ended_run_returns_that_run(world: World) -> None:
    run = start(samples.three, 1, key="k")
    drain()
    assert start(samples.three, 5, key="k") == run
    assert fresh(run).result == 4
    assert start(samples.notes, 0, key="k") != run, "keys are per workflow"


def test_a_key_belongs_to_an_organisation(world: World) -> None:
    runs = {
        start(samples.three, 1, key="k", organisation=owner).pk
        for owner in (None, world.organisation, world.elsewhere, None)
    }
    assert len(runs) == 3


def test_a_start_refuses_what_is_too_large(world: World) -> None:
    with pytest.raises(TooLarge, match="limit"):
        start(samples.tries, "x" * 1_000_001, 1)
    with pytest.raises(TooLarge):
        start(samples.three, 1, on_complete=samples.ended, context="x" * 1_000_001)
    assert not WorkflowRun.objects.exists()


def test_on_complete_has_to_be_a_transaction(world: World) -> None:
    with pytest.raises(InvalidInput):
        start(samples.three, 1, on_complete=samples.double)


@workflow()
async def notes_at_once(ctx: WorkflowContext, count: int, size: int) -> int:
    await ctx.gather(*(ctx.run_step(measure, "x" * size) for _ in range(count)))
    return count


def test_transactions_begun_together_are_charged_once(world: World) -> None:
    run = start(notes_at_once, 20, 1000)
    drain()
    assert fresh(run).journal_bytes < 2 * 20 * 1000


# --- cancel ---------------------------------------------------------------------------------------


def test_cancel_ends_a_run_and_what_it_waits_for(world: World) -> None:
    run = start(samples.waits, 3600)
    drain()
    cancel_run(run)
    run = fresh(run)
    assert (run.status, run.result, run.poke_at) == (RunStatus.CANCELED, None, None)
    assert run.finished_at is not None
    assert journal(run) == [("sleep", "canceled")]
    pass_time(7200)
    drain()
    assert fresh(run).status == RunStatus.CANCELED


def test_cancel_before_the_first_turn(world: World) -> None:
    run = start(samples.three, 1)
    cancel_run(run)
    drain()
    assert (fresh(run).status, journal(run), samples.CALLS) == (RunStatus.CANCELED, [], [])


def test_cancel_reaches_children_of_children(world: World) -> None:
    run = start(grandparent)
    drain()
    assert WorkflowRun.objects.open().count() == 3
    cancel_run(run)
    assert set(WorkflowRun.objects.values_list("status", flat=True)) == {RunStatus.CANCELED}
    assert set(WorkItem.objects.values_list("status", flat=True)) == {Status.CANCELED}
    drain()
    assert not WorkflowRun.objects.open().exists()


def test_a_canceled_child_is_an_error_in_its_parent(world: World) -> None:
    run = start(patient)
    drain()
    cancel_run(WorkflowRun.objects.get(parent_step__run=run))
    drain()
    run = fresh(run)
    assert run.status == RunStatus.ERROR
    assert journal(run) == [("waits", "canceled")]


def test_the_result_of_an_action_that_ran_at_the_cancel_is_not_recorded(world: World) -> None:
    run = start(samples.three, 1)
    advance(run.pk)
    (work,) = take()
    cancel_run(run)
    assert settle(work, call(work)) is False
    drain()
    step = WorkItem.objects.get(run=run)
    assert (step.status, step.result) == (Status.CANCELED, None)
    assert fresh(run).status == RunStatus.CANCELED


def test_after_a_cancel_no_step_starts(world: World) -> None:
    run = start(samples.together, [1, 2, 3])
    advance(run.pk)
    cancel_run(run)
    assert take() == []
    drain()
    assert samples.CALLS == []


def test_a_second_cancel_is_refused(world: World) -> None:
    run = start(samples.waits, 60, on_complete=samples.ended)
    drain()
    cancel_run(run)
    with pytest.raises(WorkflowFinished):
        cancel_run(run)
    assert told() == ["canceled"]


def test_a_finished_run_cannot_be_canceled_paused_or_resumed(world: World) -> None:
    run = start(samples.three, 1)
    drain()
    for verb in (cancel_run, pause_run, resume_run):
        with pytest.raises(WorkflowFinished):
            verb(run)
    assert fresh(run).status == RunStatus.SUCCESS


def test_a_run_that_is_gone_is_not_found(world: World) -> None:
    run = start(samples.three, 1)
    clean_up(run, force=True)
    with pytest.raises(WorkflowNotFound):
        cancel_run(run)


def test_the_generation_grows_with_every_change(world: World) -> None:
    run = start(samples.asks)
    seen = [fresh(run).generation]
    for verb in (
        lambda: advance(run.pk),
        lambda: pause_run(run),
        lambda: resume_run(run),
        lambda: cancel_run(run),
        lambda: restart_run(run, step=0),
    ):
        verb()
        seen.append(fresh(run).generation)
    assert seen == sorted(set(seen))


# --- pause and resume -----------------------------------------------------------------------------


def test_a_paused_run_goes_on_where_it_was(world: World) -> None:
    run = start(samples.three, 3)
    advance(run.pk)
    (work,) = take()
    pause_run(run)
    assert settle(work, call(work)) is True, "what runs ends and is recorded"
    drain()
    assert journal(run) == [("double", "success")]
    resume_run(run)
    drain()
    assert fresh(run).result == 12
    assert samples.CALLS == [3, 6]


def test_a_run_paused_before_its_first_turn_does_nothing(world: World) -> None:
    run = start(samples.three, 3)
    pause_run(run)
    pass_time(60)
    drain()
    assert (fresh(run).status, journal(run)) == (RunStatus.PAUSED, [])
    pause_run(run)
    resume_run(run)
    drain()
    assert fresh(run).result == 12


def test_times_and_events_of_a_paused_run_are_not_lost(world: World) -> None:
    run = start(samples.races)
    drain()
    pause_run(run)
    send_event(run, "go", "now")
    pass_time(90)
    drain()
    assert fresh(run).status == RunStatus.PAUSED
    resume_run(run)
    drain()
    assert fresh(run).result == "event"


def test_a_paused_run_can_be_canceled(world: World) -> None:
    run = start(samples.waits, 60, on_complete=samples.ended)
    drain()
    pause_run(run)
    cancel_run(run)
    assert (fresh(run).status, told()) == (RunStatus.CANCELED, ["canceled"])


def test_an_action_that_has_not_begun_does_not_begin_while_paused(world: World) -> None:
    run = start(samples.together, [1, 2])
    advance(run.pk)
    pause_run(run)
    drain()
    assert samples.CALLS == []
    resume_run(run)
    drain()
    assert fresh(run).result == [2, 4]


def test_a_time_out_of_a_run_also_counts_while_it_is_paused(world: World) -> None:
    run = start(samples.slow)
    drain()
    pause_run(run)
    pass_time(31)
    drain()
    assert fresh(run).error["kind"] == "Timeout"  # type: ignore[index]


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


# --- clean up and retention -----------------------------------------------------------------------


def test_clean_up_leaves_a_run_that_goes_on_unless_forced(world: World) -> None:
    run = start(samples.waits, 60, on_complete=samples.ended)
    drain()
    assert clean_up(run) is False
    assert fresh(run).is_open
    assert clean_up(run, force=True) is True
    assert told() == ["canceled"]
    assert not WorkItem.objects.exists()
    assert clean_up(run) is False, "it is gone"


def test_clean_up_deletes_many_steps_events_and_children(world: World) -> None:
    run = start(samples.mapped, list(range(300)), limit=300)
    family = start(grandparent)
    talk = start(two_questions)
    other = start(samples.three, 1)
    for answer in ("a", "b"):
        send_event(talk, "answer", answer)
    drain()
    cancel_run(family)
    for each in (run, family, talk):
        assert clean_up(each) is True
    assert list(WorkflowRun.objects.all()) == [other]
    assert WorkItem.objects.count() == 3
    assert not WorkflowEvent.objects.exists()


def test_old_runs_are_purged_with_their_children(world: World) -> None:
    forever, shortly = start(kept), start(kept_shortly)
    start(samples.three, 1)
    open_one = start(samples.waits, 90 * 86_400)
    drain()
    assert purge() == 0
    pass_time(3 * 86_400)
    assert purge() == 1
    assert not WorkflowRun.objects.filter(pk=shortly.pk).exists()
    assert WorkflowRun.objects.count() == 3, "the child went with its parent"
    pass_time(30 * 86_400)
    purge()
    assert set(WorkflowRun.objects.all()) == {forever, open_one}
    assert fresh(forever).purge_at is None


def test_a_run_ended_by_an_error_or_a_cancel_is_purged_too(world: World) -> None:
    samples.FAIL["a"] = 1
    bad, stopped = start(samples.tries, "a", 0), start(samples.waits, 9)
    cancel_run(stopped)
    drain()
    for run in (bad, stopped):
        assert fresh(run).purge_at > timezone.now()  # type: ignore[operator]
    pass_time(31 * 86_400)
    assert purge() == 2
