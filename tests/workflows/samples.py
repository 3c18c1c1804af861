"""Workflows and steps for the tests."""

from typing import Any

from one_project.accounts.models import Event, Organisation
from one_project.workflows.definitions import step, workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import NonRetryable, StepError, StepFailed, WaitTimeout
from one_project.workflows.types import Result, Retry

CALLS: list[Any] = []
"""What actions did; emptied before each test."""

FAIL: dict[str, int] = {}
"""How often a named action still has to fail."""


@step()
async def double(number: int) -> int:
    CALLS.append(number)
    return number * 2


@step()
def echo(text: str) -> str:
    CALLS.append(text)
    return text


@step()
async def flaky(name: str) -> str:
    CALLS.append(name)
    if FAIL.get(name, 0):
        FAIL[name] -= 1
        raise ValueError(f"{name} fails")
    return name


@step(retry=True)
async def hopeless() -> None:
    CALLS.append("hopeless")
    raise NonRetryable("no use")


@step(kind="transaction")
def note(kind: str) -> str:
    organisation = Organisation.objects.order_by("created_at").first()
    assert organisation is not None
    Event.objects.create(organisation=organisation, kind=kind)
    if FAIL.get(kind, 0):
        FAIL[kind] -= 1
        raise ValueError(f"{kind} fails")
    return kind


@step(kind="transaction")
def ended(result: Result, context: Any) -> None:
    CALLS.append((result.kind, result.value, result.error, context))
    if FAIL.get("ended", 0):
        FAIL["ended"] -= 1
        raise ValueError("ended fails")


@workflow()
async def three(ctx: WorkflowContext, number: int) -> int:
    first = await ctx.run_step(double, number)
    await ctx.run_step(note, f"noted {first}")
    second: int = await ctx.run_step(double, first)
    return second


@workflow()
async def notes(ctx: WorkflowContext, count: int) -> int:
    for number in range(count):
        await ctx.run_step(note, f"note {number}")
    return count


@workflow()
async def together(ctx: WorkflowContext, numbers: list[int]) -> list[int]:
    return await ctx.gather(*(ctx.run_step(double, number) for number in numbers))


@workflow()
async def mapped(ctx: WorkflowContext, numbers: list[int], limit: int) -> list[int]:
    return await ctx.map(double, numbers, limit=limit)


@workflow()
async def tries(ctx: WorkflowContext, name: str, attempts: int) -> str:
    retry = Retry(attempts=attempts) if attempts else False
    result: str = await ctx.run_step(flaky.options(retry=retry), name)
    return result


@workflow()
async def catches(ctx: WorkflowContext, name: str) -> str:
    try:
        return str(await ctx.run_step(flaky, name))
    except StepFailed as error:
        return f"caught {error.kind}: {error}"


@workflow()
async def waits(ctx: WorkflowContext, seconds: float) -> str:
    await ctx.sleep(seconds)
    return "awake"


@workflow()
async def asks(ctx: WorkflowContext, seconds: float | None = None) -> str:
    try:
        choice: int = await ctx.wait_event("choice", int, timeout=seconds)
    except WaitTimeout:
        return "too late"
    except StepError as error:
        return f"error {error}"
    return f"proposal{choice + 1}"


@workflow()
async def races(ctx: WorkflowContext) -> str:
    winner = await ctx.first(ctx.wait_event("go", str), ctx.sleep(60))
    await ctx.run_step(echo, f"winner {winner.place}")
    return "event" if winner.place == 0 else "sleep"


@workflow()
async def parent(ctx: WorkflowContext, number: int) -> list[int]:
    child = ctx.run_workflow(three, number)
    other = ctx.run_step(double, 100)
    return await ctx.gather(child, other)


@workflow()
async def parent_of_failure(ctx: WorkflowContext, name: str) -> str:
    result: str = await ctx.run_workflow(tries, name, 0)
    return result


@workflow()
async def branches(ctx: WorkflowContext) -> list[str]:
    async def branch(name: str, seconds: float) -> str:
        await ctx.sleep(seconds)
        a = await ctx.run_step(echo, f"{name}1")
        b = await ctx.run_step(echo, f"{name}2")
        return f"{a}{b}"

    return await ctx.gather(branch("x", 20), branch("y", 10))


@workflow()
async def chance(ctx: WorkflowContext) -> list[float]:
    first = ctx.random()
    began = ctx.now()
    await ctx.run_step(echo, "chance")
    return [first, ctx.random(), (ctx.now() - began).total_seconds()]


@workflow()
async def uses_database(ctx: WorkflowContext) -> int:
    return Organisation.objects.count()


@workflow()
async def awaits_foreign(ctx: WorkflowContext) -> None:
    import asyncio

    await asyncio.sleep(0)


@workflow(timeout=30)
async def slow(ctx: WorkflowContext) -> None:
    await ctx.sleep(3600)


@step()
async def big(size: int) -> str:
    return "x" * size


@workflow()
async def returns_big(ctx: WorkflowContext, size: int, times: int = 1) -> int:
    for _ in range(times):
        await ctx.run_step(big, size)
    return size


@workflow()
async def returns_wrong(ctx: WorkflowContext) -> int:
    return "not a number"  # type: ignore[return-value]
