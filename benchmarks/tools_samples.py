"""Tools whose effects can be counted; workers import this with ``-I``.

A write is a row in Postgres, in the transaction of its record. What acts outside posts its key to
``benchmarks.tools_effects``, in the middle of ``TAKES`` seconds. Nothing there keeps it from being
counted twice.
"""

import asyncio
import os
from typing import Any

import httpx2
from django.db import connection

from agents_app.tools.definitions import Arguments, ToolContext, ToolError, tool

EFFECTS = "BENCHMARK_EFFECTS_URL"
TAKES = 0.2  # seconds of an effect outside


class Keyed(Arguments):
    key: str


@tool(name="trial_read", effect="read")
async def read(arguments: Keyed, context: ToolContext) -> dict[str, str]:
    """Read something; each time is counted, though nothing changes by it."""
    await _post("read", arguments.key, context)
    return {"read": arguments.key}


@tool(name="trial_quick", effect="read")
def quick(arguments: Keyed) -> dict[str, str]:
    """Read something that is there already."""
    return {"read": arguments.key}


@tool(name="trial_write", effect="write", in_transaction=True)
def write(arguments: Keyed) -> str:
    """Write a row."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO benchmark_rows (number, name) VALUES (0, %s)", [arguments.key])
    return f"written {arguments.key}"


@tool(name="trial_external", effect="external", approval="never")
async def external(arguments: Keyed, context: ToolContext) -> str:
    """Do something outside that cannot be taken back, without asking."""
    return await _act(arguments, context)


@tool(name="trial_asked", effect="external")
async def asked(arguments: Keyed, context: ToolContext) -> str:
    """Do something outside that cannot be taken back, once a person has allowed it."""
    return await _act(arguments, context)


async def _act(arguments: Keyed, context: ToolContext) -> str:
    await asyncio.sleep(TAKES / 2)
    await _post("effect", arguments.key, context)
    await asyncio.sleep(TAKES / 2)
    return f"sent {arguments.key}"


async def _post(kind: str, key: str, context: ToolContext) -> None:
    body: dict[str, Any] = {"kind": kind, "key": key, "call": str(context.key)}
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=10.0) as client:
            (await client.post(os.environ[EFFECTS], json=body)).raise_for_status()
    except httpx2.HTTPError as error:
        raise ToolError(f"nobody answers: {error}") from error
