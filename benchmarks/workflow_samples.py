"""Workflows and steps that the measurements and the trial run; workers import this with ``-I``."""

import asyncio
import os
import time
from typing import Any

from django.db import connection

from one_project.workflows.current import current_work
from one_project.workflows.definitions import step, workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import StepUnknown
from one_project.workflows.types import Result, Retry

POOL = "benchmark"
EFFECTS = "BENCHMARK_EFFECTS"
"""The variable with the path of the file that stands for the outside world."""
HALF = 0.25  # seconds an effect of the trial takes, before and again after it has happened
NAP = 0.5
AGAIN = Retry(attempts=20, initial=0.2, base=1.5)


def insert(number: int, name: str) -> None:
    """A row of the benchmarks' own; nothing keeps it from being there twice."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO benchmark_rows (number, name) VALUES (%s, %s)", [number, name])


# --- The measurements --------------------------------------------------------------------------


@step(kind="transaction", pool=POOL)
def row(number: int) -> int:
    insert(number, "measured")
    return number


@step(pool=POOL)
async def nothing(number: int) -> int:
    return number


@workflow()
async def empty(ctx: WorkflowContext) -> None:
    pass


@workflow()
async def rows_in_turn(ctx: WorkflowContext, count: int) -> int:
    for number in range(count):
        await ctx.run_step(row, number)
    return count


@workflow()
async def actions_in_turn(ctx: WorkflowContext, count: int) -> int:
    for number in range(count):
        await ctx.run_step(nothing, number)
    return count


@workflow()
async def gathers(ctx: WorkflowContext, count: int) -> int:
    return len(await ctx.gather(*(ctx.run_step(nothing, number) for number in range(count))))


@workflow()
async def maps(ctx: WorkflowContext, count: int) -> int:
    return len(await ctx.map(nothing, range(count), limit=100))


@workflow()
async def waits(ctx: WorkflowContext) -> None:
    await ctx.wait_event("go")


@workflow()
async def sleeps(ctx: WorkflowContext, seconds: float) -> None:
    await ctx.sleep(seconds)


# --- The trial ---------------------------------------------------------------------------------


async def _effect(mode: str, number: int) -> None:
    """One line, written in one go: the key, the mode, the number, the attempt, the moment."""
    work = current_work()
    await asyncio.sleep(HALF)
    line = f"{work.idempotency_key} {mode} {number} {work.attempt} {time.time():.3f}\n"
    file = os.open(os.environ[EFFECTS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
    await asyncio.sleep(HALF)


@step(retry=AGAIN)
async def effect_at_least_once(number: int) -> int:
    await _effect("least", number)
    return number


@step()
async def effect_at_most_once(number: int) -> int:
    await _effect("most", number)
    return number


@step(kind="transaction")
def trial_row(number: int, name: str) -> str:
    insert(number, name)
    return name


@step(kind="transaction")
def ended(result: Result, context: Any) -> None:
    insert(context, "ended")


@workflow()
async def child_of_trial(ctx: WorkflowContext, number: int) -> int:
    await ctx.run_step(trial_row, number, "child")
    return int(await ctx.run_step(effect_at_least_once, number))


@workflow()
async def five_steps(ctx: WorkflowContext, number: int) -> str:
    """Every second run lives with an effect of which nobody knows; the others fail by it."""
    found = "done"
    await ctx.run_step(trial_row, number, "first")
    most = ctx.run_step(effect_at_most_once, number)
    least = ctx.run_step(effect_at_least_once, number)
    if number % 2:
        await ctx.gather(most, least)
    else:
        await least
        try:
            await most
        except StepUnknown:
            found = "unknown"
    await ctx.run_workflow(child_of_trial, number)
    await ctx.sleep(NAP)
    await ctx.run_step(trial_row, number, "last")
    return found
