"""Workers that die at named points, and several at one row.

A worker dies by doing nothing more (its lease runs out) or by ``Killed`` in the middle of a
transaction, which is what a lost connection is for Postgres.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection

from one_project.accounts.models import Event
from one_project.workflows.definitions import step, workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import StepUnknown
from one_project.workflows.models import Completion, RunStatus, WorkflowRun, WorkItem
from one_project.workflows.services import advance as advancing
from one_project.workflows.services import settle as settling
from one_project.workflows.services import turn
from one_project.workflows.services.advance import advance, settle_and_advance
from one_project.workflows.services.runs import (
    cancel_run,
    pause_run,
    resume_run,
    start,
)
from one_project.workflows.services.settle import execute_transaction, settle
from one_project.workflows.services.sweeping import sweep
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Host, Outcome, Status
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import call, drain, fresh, journal, pass_time, perform, take
from tests.workflows.deaths import Killed, effect, noted, tell

pytestmark = pytest.mark.django_db


@workflow()
async def with_policy(ctx: WorkflowContext) -> str:
    await ctx.run_step(effect, "e")
    await ctx.run_step(samples.note, "noted")
    return "end"


@workflow()
async def without_policy(ctx: WorkflowContext) -> str:
    try:
        return str(await ctx.run_step(samples.echo, "e"))
    except StepUnknown as error:
        return f"unknown: {error.kind}"


def recover() -> None:
    """All leases and pauses end, and others do what is to be done."""
    for _ in range(4):
        pass_time(400)
        drain()


# --- actions --------------------------------------------------------------------------------------


def die_before_the_effect() -> None:
    assert take()


def die_before_the_record() -> None:
    (work,) = take()
    call(work)


def die_before_the_run_goes_on() -> None:
    (work,) = take()
    settle(work, call(work))


DEATHS = [die_before_the_effect, die_before_the_record, die_before_the_run_goes_on]


@pytest.mark.parametrize(("die", "calls"), list(zip(DEATHS, (1, 2, 1), strict=True)))
def test_an_action_with_a_policy_is_done_at_least_once(
    world: World, die: Callable[[], None], calls: int
) -> None:
    run = start(with_policy, on_complete=tell)
    advance(run.pk)
    die()
    recover()
    assert fresh(run).result == "end"
    assert len(samples.CALLS) == calls
    assert len(set(samples.CALLS)) == 1, "the key for whoever has the effect is the same"
    assert (noted("noted"), noted("ended success")) == (1, 1)


@pytest.mark.parametrize(
    ("die", "calls", "result"),
    [
        (die_before_the_effect, 0, "unknown: WorkerLost"),
        (die_before_the_record, 1, "unknown: WorkerLost"),
        (die_before_the_run_goes_on, 1, "e"),
    ],
)
def test_an_action_without_a_policy_is_done_at_most_once(
    world: World, die: Callable[[], None], calls: int, result: str
) -> None:
    run = start(without_policy)
    advance(run.pk)
    die()
    recover()
    assert fresh(run).result == result
    assert len(samples.CALLS) == calls
    assert journal(run)[0][1] == ("success" if result == "e" else "unknown")


@pytest.mark.parametrize("die", DEATHS)
def test_a_cancel_after_a_death_is_the_end(world: World, die: Callable[[], None]) -> None:
    run = start(with_policy, on_complete=tell)
    advance(run.pk)
    die()
    cancel_run(run)
    calls = len(samples.CALLS)
    recover()
    assert fresh(run).status == RunStatus.CANCELED
    assert (len(samples.CALLS), noted("noted"), noted("ended canceled")) == (calls, 0, 1)


def test_a_worker_that_was_only_slow_changes_nothing_any_more(world: World) -> None:
    run = start(with_policy)
    advance(run.pk)
    (slow,) = take(worker="slow")
    pass_time(60)
    sweep()
    (work,) = take(worker="other")
    assert settle(slow, Outcome(status=Status.ERROR)) is False
    advance(run.pk)
    perform(work)
    assert settle(slow, Outcome(status=Status.SUCCESS, result="late")) is False
    recover()
    assert WorkItem.objects.get(run=run, n=0).result == "e"


def test_a_slow_worker_may_still_record_until_somebody_has_noticed(world: World) -> None:
    run = start(without_policy)
    advance(run.pk)
    (slow,) = take()
    pass_time(60)
    assert settle(slow, Outcome(status=Status.SUCCESS, result="e")) is True
    drain()
    assert fresh(run).result == "e"


# --- turns ----------------------------------------------------------------------------------------

POINTS = [
    (advancing, "deliver_settled"),
    (advancing, "take_commands"),
    (advancing, "_suspend"),
    (advancing, "_finish"),
    (turn, "execute"),
    (turn, "_write_down"),
]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("module", "point"), POINTS)
def test_a_turn_that_dies_leaves_nothing_and_is_done_again(
    world: World, monkeypatch: pytest.MonkeyPatch, module: Any, point: str, moment: str
) -> None:
    run = start(samples.three, 1, on_complete=tell)
    original = getattr(module, point)

    def deadly(*args: Any) -> Any:
        if moment == "after":
            original(*args)
        raise Killed

    deaths = 0
    for _ in range(12):
        before = (fresh(run).generation, journal(run), Event.objects.count())
        with monkeypatch.context() as patch:
            patch.setattr(module, point, deadly)
            try:
                advance(run.pk)
            except Killed:
                deaths += 1
                now = (fresh(run).generation, journal(run), Event.objects.count())
                assert now == before
        advance(run.pk)
        for work in take():
            settle(work, call(work))
    recover()
    assert deaths
    assert (fresh(run).result, samples.CALLS) == (4, [1, 2])
    assert (noted("noted 2"), noted("ended success")) == (1, 1)


def test_a_record_that_dies_with_its_turn_can_be_offered_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(with_policy, on_complete=tell)
    advance(run.pk)
    (work,) = take()
    result = call(work)

    def deadly(*args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(advancing, "take_commands", deadly)
        with pytest.raises(Killed):
            settle_and_advance(work, result)
    assert (journal(run), noted("noted")) == ([("effect", "running")], 0)
    assert settle_and_advance(work, result)[0] is True
    assert settle_and_advance(work, result)[0] is False
    recover()
    assert (fresh(run).result, len(samples.CALLS)) == ("end", 1)
    assert (noted("noted"), noted("ended success")) == (1, 1)


def test_a_result_for_a_paused_run_is_recorded(world: World) -> None:
    run = start(with_policy)
    advance(run.pk)
    (work,) = take()
    pause_run(run)
    assert settle_and_advance(work, call(work)) == (True, [])
    recover()
    assert journal(run) == [("effect", "success")]
    resume_run(run)
    recover()
    assert fresh(run).result == "end"


HOST = Host("w1", lambda: 100)


def test_actions_a_worker_claims_for_itself_are_lost_with_it(world: World) -> None:
    good, bad = start(with_policy), start(without_policy)
    taken = [work for run in (good, bad) for work in advance(run.pk, host=HOST)]
    assert [(work.attempt, work.run_id) for work in taken] == [(1, good.pk), (1, bad.pk)]
    assert take() == []
    recover()
    assert (fresh(good).result, fresh(bad).result) == ("end", "unknown: WorkerLost")


def test_a_turn_that_dies_claims_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(without_policy)

    def deadly(*args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(advancing, "_suspend", deadly)
        with pytest.raises(Killed):
            advance(run.pk, host=HOST)
    recover()
    assert fresh(run).result == "e"


@workflow()
async def pays_and_notes(ctx: WorkflowContext) -> str:
    paid = ctx.run_step(samples.echo, "pay")
    await ctx.gather(ctx.run_step(samples.note, "one"), ctx.run_step(samples.note, "two"))
    return str(await paid)


def test_a_claim_is_kept_when_a_later_turn_of_the_same_call_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(pays_and_notes)
    turns = 0
    original = advancing.take_commands

    def refuses_once(*args: Any) -> None:
        nonlocal turns
        turns += 1
        if turns == 2:
            raise OperationalError("the connection is lost")
        original(*args)

    taken: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(advancing, "take_commands", refuses_once)
        with suppress(OperationalError):
            taken = advance(run.pk, host=HOST)
    for work in taken:
        perform(work)
    recover()
    assert fresh(run).result == "pay"


def test_a_run_that_nobody_has_begun_is_picked_up(world: World) -> None:
    run = start(samples.three, 1)
    (picked,) = sweep().picked_up
    assert picked == run.pk
    assert advance(run.pk, picked_up=True) == []
    assert sweep().picked_up == [], "not at once again"
    recover()
    assert fresh(run).result == 4


def test_a_run_that_fells_every_worker_fails_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(samples.three, 1, on_complete=samples.ended)

    def deadly(*args: Any) -> None:
        raise Killed

    picked = 0
    with monkeypatch.context() as patch:
        patch.setattr(advancing, "_suspend", deadly)
        for _ in range(20):
            pass_time(400)
            for run_id in sweep().picked_up:
                picked += 1
                try:
                    advance(run_id, picked_up=True)
                except Killed:
                    continue
    assert picked == 11
    assert fresh(run).error["kind"] == "Poison"  # type: ignore[index]
    assert [each[0] for each in samples.CALLS] == ["error"]


def test_a_worker_that_dies_in_on_complete_has_not_ended_the_run(world: World) -> None:
    samples.FAIL["tell"] = 2
    run = start(samples.notes, 1, on_complete=tell)
    for _ in range(2):
        pass_time(400)
        (run_id,) = sweep().picked_up
        with pytest.raises(Killed):
            advance(run_id, picked_up=True)
        assert (fresh(run).status, noted("ended success")) == (RunStatus.RUNNING, 0)
    recover()
    assert (fresh(run).completion, noted("ended success")) == (Completion.DONE, 1)


def test_a_cancel_that_dies_in_on_complete_has_not_canceled(world: World) -> None:
    samples.FAIL["tell"] = 1
    run = start(samples.waits, 60, on_complete=tell)
    drain()
    with pytest.raises(Killed):
        cancel_run(run)
    assert fresh(run).status == RunStatus.RUNNING
    cancel_run(run)
    assert noted("ended canceled") == 1


def test_work_whose_on_complete_dies_is_not_recorded(world: World) -> None:
    samples.FAIL["tell"] = 1
    item = enqueue(effect, "e", on_complete=tell)
    (work,) = take()
    outcome = call(work)
    with pytest.raises(Killed):
        settle(work, outcome)
    assert WorkItem.objects.get(pk=item.pk).status == Status.RUNNING
    assert settle(work, outcome) is True
    assert noted("ended success") == 1


def test_an_enqueued_transaction_that_dies_is_done_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(samples.note, "noted", on_complete=tell)
    (work,) = take()

    def deadly(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(settling, "record", deadly)
        with pytest.raises(Killed):
            execute_transaction(work)
    assert noted("noted") == 0
    recover()
    assert (noted("noted"), noted("ended success")) == (1, 1)


def test_a_parent_that_was_not_told_of_its_child_finds_out(world: World) -> None:
    run = start(samples.parent, 1)
    advance(run.pk)
    child = WorkflowRun.objects.get(parent_step__run=run)
    while fresh(child).is_open:
        advance(child.pk)
        for work in take():
            settle(work, call(work))
    recover()
    assert fresh(run).result == [4, 200]


# --- the database refuses -------------------------------------------------------------------------


@step(kind="transaction")
def deadlocks(name: str) -> str:
    samples.CALLS.append(name)
    if samples.FAIL.get(name, 0):
        samples.FAIL[name] -= 1
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'chosen' USING ERRCODE = '40P01'; END $$")
    return name


@workflow()
async def has_a_deadlock(ctx: WorkflowContext) -> str:
    result: str = await ctx.run_step(deadlocks, "d")
    return result


def test_a_transaction_that_was_chosen_in_a_deadlock_is_done_again(world: World) -> None:
    samples.FAIL["d"] = 1
    run = start(has_a_deadlock)
    for _ in range(3):
        try:
            drain()
        except OperationalError:
            pass_time(400)
    assert fresh(run).result == "d"


@step(kind="transaction")
def note_for_nobody() -> None:
    Event.objects.create(organisation_id=uuid4(), kind="for nobody")


@workflow()
async def breaks_a_reference(ctx: WorkflowContext) -> None:
    await ctx.run_step(note_for_nobody)


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_breaks_a_reference_fails_its_step(committed_world: World) -> None:
    run = start(breaks_a_reference)
    drain()
    assert (fresh(run).status, noted("for nobody")) == (RunStatus.ERROR, 0)
