"""Code that changes under a run in flight: found out, or kept apart by a version."""

from collections.abc import Callable
from typing import Any

import pytest

from one_project.workflows import definitions
from one_project.workflows.definitions import Workflow, find_workflow, step
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import UnknownDefinition
from one_project.workflows.models import RunStatus, WorkflowRun, WorkItem
from one_project.workflows.services import advance as advancing
from one_project.workflows.services import cache
from one_project.workflows.services.runs import restart_run, send_event, start
from one_project.workflows.services.settle import settle
from one_project.workflows.services.sweeping import sweep
from one_project.workflows.types import Outcome, Status
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import drain, fresh, journal, pass_time, take
from tests.workflows.samples import double, echo

pytestmark = pytest.mark.django_db

NAME = "tests.changing"

Deploy = Callable[..., Workflow[..., Any]]


@step()
def echo_twice(text: str) -> str:
    samples.CALLS.append(text)
    return text * 2


@pytest.fixture
def deploy(monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Put a function in the place of what is registered under the name, as new code does."""

    def put(function: Callable[..., Any] | None, version: int = 1, **options: Any) -> Any:
        versions = dict(definitions.known_workflows().get(NAME, {}))
        versions.pop(version, None)
        if function is not None:
            settings = {"retry": None, "timeout": None, "retention_days": 30, **options}
            versions[version] = Workflow(function, NAME, version, **settings)
        monkeypatch.setitem(definitions.known_workflows(), NAME, versions)
        cache.forget()
        return versions.get(version)

    return put


async def first_code(ctx: WorkflowContext, text: str) -> str:
    await ctx.run_step(echo, text)
    await ctx.wait_event("go")
    return str(await ctx.run_step(echo, "end"))


async def other_arguments(ctx: WorkflowContext, text: str) -> str:
    await ctx.run_step(echo, f"{text}!")
    await ctx.wait_event("go")
    return str(await ctx.run_step(echo, "end"))


async def other_name(ctx: WorkflowContext, text: str) -> str:
    await ctx.run_step(echo.options(name="repeat"), text)
    await ctx.wait_event("go")
    return str(await ctx.run_step(echo, "end"))


async def other_function(ctx: WorkflowContext, text: str) -> str:
    await ctx.run_step(echo_twice.options(name="echo"), text)
    await ctx.wait_event("go")
    return str(await ctx.run_step(echo, "end"))


async def other_kind(ctx: WorkflowContext, text: str) -> str:
    await ctx.sleep(0, name="echo")
    await ctx.wait_event("go")
    return str(await ctx.run_step(echo, "end"))


async def other_order(ctx: WorkflowContext, text: str) -> str:
    event = ctx.wait_event("go")
    await ctx.run_step(echo, text)
    await event
    return str(await ctx.run_step(echo, "end"))


async def one_more_before(ctx: WorkflowContext, text: str) -> str:
    await ctx.run_step(double, 1)
    return await first_code(ctx, text)


async def first_step_removed(ctx: WorkflowContext, text: str) -> str:
    await ctx.wait_event("go")
    return str(await ctx.run_step(echo, "end"))


async def last_step_removed(ctx: WorkflowContext, text: str) -> str:
    return str(await ctx.run_step(echo, text))


async def ends_at_once(ctx: WorkflowContext, text: str) -> str:
    return text


async def hides_its_change(ctx: WorkflowContext, text: str) -> str:
    try:
        await ctx.run_step(echo, "changed")
    except BaseException:
        return "nothing happened"
    return "not reached"


async def other_ending(ctx: WorkflowContext, text: str) -> str:
    await ctx.run_step(echo, text)
    await ctx.wait_event("go")
    await ctx.run_step(echo, "new")
    return str(await ctx.run_step(echo, "end"))


CHANGES = [
    (other_arguments, "begun with"),
    (other_name, "repeat"),
    (other_function, "echo_twice"),
    (other_kind, "sleep"),
    (other_order, "event go"),
    (one_more_before, "double"),
    (first_step_removed, "event go"),
    (last_step_removed, "step 1 (event go) is not begun any more"),
    (ends_at_once, "step 0 (action echo) is not begun any more"),
    (hides_its_change, "begun with"),
]


@pytest.mark.parametrize(("changed", "message"), CHANGES)
def test_changed_code_fails_a_run_that_has_passed_it(
    world: World, deploy: Deploy, changed: Callable[..., Any], message: str
) -> None:
    run = start(deploy(first_code), "a", on_complete=samples.ended)
    drain()
    deploy(changed)
    send_event(run, "go")
    drain()
    run = fresh(run)
    assert run.status == RunStatus.ERROR
    assert run.error is not None
    assert run.error["kind"] == "DeterminismError"
    assert message in run.error["message"]
    assert "new version" in run.error["message"]
    assert samples.CALLS[-1][0] == "error", "whoever asked is told"
    assert WorkItem.objects.get(run=run, n=0).status == "success", "the journal is kept"


def test_a_change_of_what_is_still_to_come_is_allowed(world: World, deploy: Deploy) -> None:
    run = start(deploy(first_code), "a")
    drain()
    deploy(other_ending)
    send_event(run, "go")
    drain()
    assert fresh(run).result == "end"
    assert samples.CALLS == ["a", "new", "end"]


def test_a_run_that_failed_by_a_change_goes_on_once_the_code_is_back(
    world: World, deploy: Deploy
) -> None:
    run = start(deploy(first_code), "a")
    drain()
    deploy(other_arguments)
    send_event(run, "go")
    drain()
    assert fresh(run).status == RunStatus.ERROR
    deploy(first_code)
    restart_run(run)
    drain()
    assert fresh(run).result == "end"
    assert samples.CALLS == ["a", "end"], "nothing was done twice"


@pytest.mark.parametrize("seconds", [1, 7200])
def test_how_long_it_sleeps_may_change(world: World, deploy: Deploy, seconds: float) -> None:
    async def naps(ctx: WorkflowContext) -> str:
        await ctx.sleep(60)
        return "awake"

    async def naps_otherwise(ctx: WorkflowContext) -> str:
        await ctx.sleep(seconds)
        return "awake"

    run = start(deploy(naps))
    drain()
    deploy(naps_otherwise)
    pass_time(61)
    drain()
    assert fresh(run).result == "awake"


def test_how_a_step_is_retried_may_change(world: World, deploy: Deploy) -> None:
    async def with_policy(ctx: WorkflowContext, text: str) -> str:
        await ctx.run_step(echo.options(retry=True, timeout=3, pool="other"), text)
        await ctx.wait_event("go")
        return str(await ctx.run_step(echo, "end"))

    run = start(deploy(first_code), "a")
    drain()
    deploy(with_policy)
    send_event(run, "go")
    drain()
    assert fresh(run).result == "end"


def test_arguments_that_do_not_fit_any_more_fail_the_run(world: World, deploy: Deploy) -> None:
    async def takes_a_number(ctx: WorkflowContext, number: int) -> str:
        return str(number)

    run = start(deploy(first_code), "a")
    drain()
    deploy(takes_a_number)
    send_event(run, "go")
    drain()
    assert "text" in fresh(run).error["message"]  # type: ignore[index]


def test_a_child_that_became_another_workflow_is_found_out(world: World, deploy: Deploy) -> None:
    async def has_a_child(ctx: WorkflowContext) -> str:
        await ctx.run_workflow(samples.three, 1)
        return str(await ctx.wait_event("go"))

    async def has_another(ctx: WorkflowContext) -> str:
        await ctx.run_workflow(samples.notes, 1)
        return str(await ctx.wait_event("go"))

    run = start(deploy(has_a_child))
    drain()
    deploy(has_another)
    send_event(run, "go", "x")
    drain()
    assert "notes" in fresh(run).error["message"]  # type: ignore[index]


# --- versions -------------------------------------------------------------------------------------


async def second_code(ctx: WorkflowContext, text: str) -> str:
    return f"v2 {await ctx.run_step(echo, text)}"


def test_a_run_keeps_the_version_it_was_started_with(world: World, deploy: Deploy) -> None:
    old = start(deploy(first_code), "a")
    drain()
    new = start(deploy(second_code, 2), "b")
    send_event(old, "go")
    drain()
    assert (fresh(old).version, fresh(old).result) == (1, "end")
    assert (fresh(new).version, fresh(new).result) == (2, "v2 b")


def test_the_newest_version_is_found_by_name(deploy: Deploy) -> None:
    deploy(first_code)
    deploy(second_code, 10)
    deploy(second_code, 9)
    assert find_workflow(NAME).version == 10
    assert find_workflow(NAME, 1).function is first_code
    with pytest.raises(UnknownDefinition):
        find_workflow(NAME, 3)
    with pytest.raises(UnknownDefinition):
        find_workflow("no such workflow")


def test_a_run_whose_version_is_not_here_waits_and_goes_on_when_it_is(
    world: World, deploy: Deploy
) -> None:
    run = start(deploy(second_code, 2), "a")
    deploy(None, 2)
    deploy(first_code, 1)
    for _ in range(30):
        drain()
        pass_time(11)
    assert (fresh(run).status, journal(run)) == (RunStatus.RUNNING, [])
    deploy(second_code, 2)
    drain()
    assert fresh(run).result == "v2 a"


class StillTurning(BaseException):
    """``advance`` does not come to an end."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """End an ``advance`` that would turn for ever."""
    turns = 0
    wait = advancing._wait_for_code

    def counted(run: WorkflowRun, error: UnknownDefinition) -> None:
        nonlocal turns
        turns += 1
        if turns > 50:
            raise StillTurning
        wait(run, error)

    monkeypatch.setattr(advancing, "_wait_for_code", counted)


def test_a_run_in_the_middle_whose_version_is_not_here_waits_too(
    world: World, deploy: Deploy, impatient: None
) -> None:
    run = start(deploy(first_code), "a")
    drain()
    deploy(None)
    send_event(run, "go")
    for _ in range(3):
        found = sweep()
        for run_id in {*found.settled, *found.picked_up}:
            advancing.advance(run_id)
        pass_time(11)
    assert fresh(run).status == RunStatus.RUNNING
    deploy(first_code)
    drain()
    assert fresh(run).result == "end"


def test_results_keep_their_order_while_a_step_is_not_here(
    world: World, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def both(ctx: WorkflowContext) -> list[str]:
        noted = ctx.run_step(samples.note.options(retry=True), "noted")
        return await ctx.gather(noted, ctx.run_step(echo, "a"))

    samples.FAIL["noted"] = 1
    run = start(deploy(both))
    advancing.advance(run.pk)
    (work,) = take()
    settle(work, Outcome(status=Status.SUCCESS, result="a"))
    pass_time(10)
    with monkeypatch.context() as patch:
        patch.delitem(definitions._steps, samples.note.name)
        for run_id in sweep().picked_up:
            advancing.advance(run_id, picked_up=True)
    pass_time(60)
    drain()
    assert fresh(run).result == ["noted", "a"]
    order = list(WorkItem.objects.filter(run=run).values_list("settled_seq", flat=True))
    assert sorted(order) == [1, 2]
