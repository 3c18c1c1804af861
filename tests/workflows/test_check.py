"""``workflow_check``: found out before a deploy what would fail after it."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from one_project.workflows import definitions
from one_project.workflows.definitions import Step, StepOptions, Workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.models import WorkflowRun, WorkItem
from one_project.workflows.services import checking
from one_project.workflows.services.checking import check_open
from one_project.workflows.services.runs import pause_run, send_event, start
from one_project.workflows.services.work import enqueue
from one_project.workflows.types import Kind
from tests.people import World
from tests.workflows import samples
from tests.workflows.by_hand import drain

pytestmark = pytest.mark.django_db

Put = Callable[..., None]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Put:
    """Have other code under the name of a sample."""

    def change(sample: Workflow[..., Any], function: Any, version: int = 1) -> None:
        found = {}
        if function is not None:
            made: Workflow[..., Any] = Workflow(
                function, sample.name, version, retry=None, timeout=None, retention_days=1
            )
            found = {version: made}
        monkeypatch.setitem(definitions.known_workflows(), sample.name, found)

    return change


def check(*arguments: str) -> tuple[str, int]:
    """What the command printed, and its exit code."""
    out = StringIO()
    try:
        call_command("workflow_check", *arguments, stdout=out, no_color=True)
    except SystemExit as end:
        return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0


def begin_everything(world: World) -> None:
    """Runs in all kinds of states."""
    samples.FAIL.update(a=1, noted=1)
    asking = start(samples.asks)
    for sample, args in (
        (samples.three, (1,)),
        (samples.waits, (60,)),
        (samples.races, ()),
        (samples.branches, ()),
        (samples.tries, ("a", 5)),
        (samples.parent, (1,)),
        (samples.slow, ()),
    ):
        start(sample, *args, on_complete=samples.ended)
    drain()
    send_event(asking, "choice", 1)
    pause_run(start(samples.asks))
    start(samples.mapped, list(range(30)), limit=3)
    start(samples.notes, 3)
    enqueue(samples.echo, "a")


def test_what_goes_on_is_reported_as_such(world: World) -> None:
    begin_everything(world)
    text, code = check()
    assert code == 0
    assert f"{WorkflowRun.objects.open().count()} open runs" in text
    assert "All of them go on" in text


def test_nothing_is_written(world: World) -> None:
    begin_everything(world)
    before = [list(model.objects.order_by("pk").values()) for model in (WorkflowRun, WorkItem)]
    calls = list(samples.CALLS)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        check()
    assert {query["sql"].split()[0] for query in queries} == {"SELECT"}
    after = [list(model.objects.order_by("pk").values()) for model in (WorkflowRun, WorkItem)]
    assert (after, samples.CALLS) == (before, calls)


def test_changed_code_is_reported(world: World, put: Put) -> None:
    async def changed(ctx: WorkflowContext, seconds: float | None = None) -> str:
        await ctx.run_step(samples.echo, "new")
        return str(await ctx.wait_event("choice", int, timeout=seconds))

    run, untouched = start(samples.asks), start(samples.waits, 60)
    drain()
    put(samples.asks, changed)
    text, code = check()
    assert code == 1
    assert str(run.pk) in text
    assert str(untouched.pk) not in text
    assert "1 would not go on" in text
    assert "DeterminismError: tests.workflows.samples.asks v1" in text


def test_a_removed_step_at_the_end_is_reported(world: World, put: Put) -> None:
    async def shorter(ctx: WorkflowContext, seconds: float) -> str:
        return "awake"

    start(samples.waits, 60)
    drain()
    put(samples.waits, shorter)
    assert [problem.kind for problem in check_open().problems] == ["DeterminismError"]


def test_a_version_that_is_not_here_is_reported(world: World, put: Put) -> None:
    start(samples.waits, 60)
    drain()
    put(samples.waits, samples.waits.function, version=2)
    text, code = check()
    assert code == 1
    assert "UnknownDefinition: No version 1" in text
    put(samples.waits, None)
    assert "No workflow is registered" in check()[0]


def test_arguments_that_do_not_fit_are_reported(world: World, put: Put) -> None:
    async def needs_more(ctx: WorkflowContext, moment: str) -> str:
        await ctx.sleep(1)
        return moment

    start(samples.waits, 60)
    drain()
    put(samples.waits, needs_more)
    assert [problem.kind for problem in check_open().problems] == ["InvalidData"]


def test_a_step_that_is_not_here_or_takes_something_else_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes_two(text: str, more: int) -> str:
        return text * more

    def takes_other(message: str) -> str:
        return message

    name = samples.echo.name
    item = enqueue(samples.echo, "a")
    monkeypatch.delitem(definitions._steps, name)
    (problem,) = check_open().problems
    assert (problem.id, problem.what, problem.kind) == (item.pk, "work", "UnknownDefinition")
    other: Step[..., Any] = Step(takes_other, name, Kind.ACTION, StepOptions(), 6)
    monkeypatch.setitem(definitions._steps, name, other)
    assert "takes no argument text" in check_open().problems[0].message
    two: Step[..., Any] = Step(takes_two, name, Kind.ACTION, StepOptions(), 6)
    monkeypatch.setitem(definitions._steps, name, two)
    assert "'more'" in check_open().problems[0].message


def test_a_completion_that_is_not_here_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(samples.waits, 60, on_complete=samples.ended)
    enqueue(samples.echo, "a", on_complete=samples.ended)
    monkeypatch.delitem(definitions._steps, samples.ended.name)
    assert [problem.what for problem in check_open().problems] == ["run", "work"]


def test_ended_runs_do_not_matter(world: World, put: Put) -> None:
    start(samples.three, 1)
    drain()
    put(samples.three, None)
    assert check()[1] == 0


def test_it_looks_at_more_than_it_reads_at_once(
    world: World, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "CHUNK", 7)
    for number in range(25):
        start(samples.asks)
        enqueue(samples.double, number)
    put(samples.asks, None)
    report = check_open()
    assert (report.runs, report.work, len(report.problems)) == (25, 25, 25)
    text, _ = check()
    assert f"25 × {samples.asks.name} v1: UnknownDefinition" in text


def test_programs_read_json(world: World, put: Put) -> None:
    run = start(samples.waits, 60)
    drain()
    text, code = check("--json")
    assert (json.loads(text), code) == ({"ok": True, "runs": 1, "work": 0, "problems": []}, 0)
    put(samples.waits, None)
    text, code = check("--json")
    found = json.loads(text)
    assert (found["ok"], code) == (False, 1)
    assert found["problems"][0]["id"] == str(run.pk)
    assert found["problems"][0].keys() == {"id", "what", "name", "kind", "message"}
