"""An agent defined in Python answers in threads like one of the database (AG-1, AG-16, CX-17)."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from agents_app.models import AgentKind
from agents_app.providers.parts import ChatMessage
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime import agent as agents
from agents_app.runtime.agent import (
    Agent,
    ContextParts,
    UsageReport,
    has_successful_tool_call,
    register_agent,
)
from agents_app.services.agents import create_agent
from agents_app.tools.definitions import Arguments, define
from chat_app.models import Turn, TurnStatus
from chat_app.services.conversation import continue_thread
from tests.chat.test_engine import ended, running_engine, wait_until
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)

REPORTS: list[UsageReport] = []
RAW: list[dict[str, Any]] = []


class Name(Arguments):
    name: str


def greet(arguments: Name) -> str:
    """Greet somebody."""
    return f"Hello {arguments.name}"


def only_the_question(parts: ContextParts) -> Sequence[ChatMessage]:
    return [*parts.input_prompt, *parts.existing_responses]


def usage(report: UsageReport) -> None:
    REPORTS.append(report)
    raise RuntimeError("a handler's own trouble")


async def raw(request: dict[str, Any], response: dict[str, Any]) -> None:
    RAW.append(response)


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    REPORTS.clear()
    RAW.clear()
    register_agent(
        "greeter",
        Agent(
            name="Greeter",
            instructions="Be kind.",
            tools=(define(greet, name="greet"),),
            context_handler=only_the_question,
            usage_handler=usage,
            raw_handler=raw,
            stop_when=(has_successful_tool_call("greet"),),
        ),
    )
    yield
    agents._registered.pop("greeter")


def asked(world: World, model: ScriptedModel, *texts: str) -> Turn:
    row = create_agent(world.organisation, name="Greeter", kind=AgentKind.SYSTEM_AGENT)
    row.code_name = "greeter"
    row.save()
    thread = world.thread()
    with running_engine(model):
        for text in texts:
            turn = continue_thread(thread, user=world.alice, message=text, agent=row)
            wait_until(ended(turn))
        # They are told after the end, by the worker that is about to stop.
        wait_until(lambda: len(REPORTS) >= len(texts))
    turn.refresh_from_db()
    return turn


def test_it_has_its_own_prompt_tools_context_and_stop(committed_world: World) -> None:
    from agents_app.providers.parts import ToolCallPart

    call = ToolCallPart("1", "greet", {"name": "Ada"})
    model = ScriptedModel(["First.", [call]])

    turn = asked(committed_world, model, "one", "two")

    assert turn.status == TurnStatus.SUCCESS
    assert [(m.role, m.plain_text) for m in model.requests[1].messages] == [
        ("system", "Be kind."),
        ("user", "two"),
    ]
    assert [spec.name for spec in model.requests[1].tools] == ["greet"]
    assert len(model.requests) == 2, "the tool that ends the answer has succeeded"


def test_its_handlers_are_told_and_break_nothing(committed_world: World) -> None:
    turn = asked(committed_world, ScriptedModel(["Hello."]), "one")
    [report] = REPORTS
    assert (report.agent_name, report.user_id) == ("Greeter", committed_world.alice.pk)
    assert report.usage.output_tokens > 0
    assert RAW[0]["parts"] == [{"type": "text", "text": "Hello."}]
    assert turn.status == TurnStatus.SUCCESS
