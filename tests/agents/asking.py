"""What the tests of programs that ask agents share: a script for the model, tools, rows."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

from agents_app.providers.parts import ToolCallPart
from agents_app.tools.definitions import Arguments, ToolContext, ToolDefinition, ToolError, define
from chat_app.models import Message

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def call(name: str, call_id: str = "c1", **arguments: Any) -> ToolCallPart:
    return ToolCallPart(call_id, name, arguments)


class City(Arguments):
    city: str


CALLS: list[tuple[str, ToolContext]] = []
"""What the tools below were asked; emptied before each test that looks."""


async def weather(arguments: City, context: ToolContext) -> str:
    """The weather in a city."""
    CALLS.append((arguments.city, context))
    if arguments.city == "Atlantis":
        raise ToolError("There is no such city.")
    return f"sunny in {arguments.city}"


def weather_tool(**options: Any) -> ToolDefinition:
    return define(weather, name="weather", **options)


def rows(thread_id: UUID) -> list[tuple[int, int, str, str, str]]:
    """Order, step, kind, status and text of a thread's messages."""
    found = Message.objects.filter(thread_id=thread_id).in_order()
    return [(each.order, each.step_order, each.kind, each.status, each.text) for each in found]
