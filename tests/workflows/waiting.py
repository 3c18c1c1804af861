"""Workflows that wait, for the tests of control and restart."""

from typing import Any

from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext
from tests.workflows import samples


@workflow()
async def two_questions(ctx: WorkflowContext) -> list[str]:
    first = await ctx.wait_event("answer", str)
    await ctx.run_step(samples.echo, "between")
    return [first, await ctx.wait_event("answer", str)]


@workflow()
async def patient(ctx: WorkflowContext) -> str:
    await ctx.run_workflow(samples.waits, 3600)
    return "done"


def told() -> list[Any]:
    """The kinds of ends that ``samples.ended`` was called with."""
    return [each[0] for each in samples.CALLS if isinstance(each, tuple)]
