"""What people and programs do with runs: cancel, pause, restart, send, clean up, be told."""

import pytest
from django.utils import timezone

from one_project.common.errors import InvalidInput
from one_project.workflows.definitions import step, workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import (
    TooLarge,
    WorkflowFinished,
    WorkflowNotFound,
)
from one_project.workflows.models import (
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
from one_project.workflows.services.settle import settle
from one_project.workflows.types import Status
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import call, drain, fresh, journal, pass_time, take
from tests.workflows.waiting import patient, told, two_questions

pytestmark = pytest.mark.django_db


@step(kind="transaction")
def measure(text: str) -> int:
    return len(text)


@workflow()
async def grandparent(ctx: WorkflowContext) -> str:
    return str(await ctx.run_workflow(patient))


@workflow(retention_days=None)
async def kept(ctx: WorkflowContext) -> None:
    return None


@workflow(retention_days=2)
async def kept_shortly(ctx: WorkflowContext) -> None:
    await ctx.run_workflow(samples.waits, 0)


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
