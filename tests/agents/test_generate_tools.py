"""Programs whose agents use tools: the loop in the process."""

import asyncio
from typing import Any

import pytest

from agents_app.models import AICall, CallStatus, ToolCall
from agents_app.providers.base import Usage
from agents_app.providers.parts import ToolCallPart, ToolResultPart
from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime.agent import Agent, has_successful_tool_call
from agents_app.types import AgentOptions
from chat_app.models import Message
from tests.agents.asking import CALLS, call, rows, run, weather_tool
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


def helper(**changes: Any) -> Agent:
    return Agent(**{"name": "Helper", "instructions": "Be short.", **changes})


def ask(agent: Agent, *script: Any, **asked: Any) -> Any:
    with use_model(ScriptedModel(script)):
        return run(agent.generate_text(**asked))


# -- tools (T-G4 to T-G7, T-G12)


def test_a_tool_is_used_and_its_result_told(committed_world: World) -> None:
    thread = committed_world.thread()
    model = ScriptedModel([["Let me see. ", call("weather", city="Rome")], "Sunny."])
    with use_model(model):
        agent = helper(tools=(weather_tool(),))
        result = run(
            agent.generate_text(
                prompt="Rome?", thread_id=thread.pk, user=committed_world.alice, custom={"x": 1}
            )
        )
    assert rows(thread.pk) == [
        (0, 0, "user", "success", "Rome?"),
        (0, 1, "agent", "success", "Let me see. "),
        (0, 2, "tool", "success", ""),
        (0, 3, "agent", "success", "Sunny."),
    ]
    assert (result.text, len(result.steps), len(result.tool_calls)) == ("Sunny.", 2, 1)
    assert result.usage == sum((step.usage for step in result.steps), Usage())
    told = model.last_request.messages[-1].parts[0]
    assert told == ToolResultPart("c1", "weather", "sunny in Rome")
    [(_, context)] = CALLS
    assert context.custom == {"x": 1}
    assert (context.user, context.thread_id) == (committed_world.alice, thread.pk)
    assert context.message_id == result.prompt_message_id
    used = ToolCall.objects.get()
    assert (used.status, used.output, used.arguments) == (
        CallStatus.SUCCEEDED, "sunny in Rome", {"city": "Rome"},
    )  # fmt: skip
    assert used.message_id == Message.objects.get(thread=thread, step_order=1).pk
    assert AICall.objects.filter(thread_id=thread.pk, status="success").count() == 2


def test_one_step_is_no_loop() -> None:
    result = ask(
        helper(tools=(weather_tool(),), options=AgentOptions(max_steps=1)),
        [call("weather", city="Rome")], prompt="q",
    )  # fmt: skip
    assert (len(result.steps), result.finish_reason) == (1, "tool_calls")
    assert result.steps[0].results[0].output == "sunny in Rome"


def test_five_steps_unless_told_otherwise() -> None:
    script = [[call("weather", city=f"City {n}")] for n in range(9)]
    model = ScriptedModel(script)
    with use_model(model):
        result = run(helper(tools=(weather_tool(),)).generate_text(prompt="q"))
    assert len(result.steps) == 5
    assert [request.tool_choice for request in model.requests] == [None] * 4 + ["none"]


def test_errors_and_wrong_arguments_are_told_and_the_loop_goes_on(committed_world: World) -> None:
    model = ScriptedModel(
        [
            [
                call("weather", "c1", city="Atlantis"),
                call("weather", "c2", town="Rome"),
                call("nothing", "c3"),
                ToolCallPart("c4", "weather", "{broken"),
            ],
            "Sorry.",
        ]
    )
    with use_model(model):
        agent = helper(tools=(weather_tool(),))
        result = run(agent.generate_text(prompt="q", organisation=committed_world.organisation))
    assert result.text == "Sorry."
    told = model.last_request.messages[-1].parts
    assert [part.call_id for part in told] == ["c1", "c2", "c3", "c4"]
    assert all(part.is_error for part in told)
    assert "no such city" in told[0].output
    assert "town" in told[1].output
    codes = ToolCall.objects.in_order().values_list("error_code", flat=True)
    assert sorted(codes) == [
        "invalid_arguments", "invalid_arguments", "tool_error", "unknown_tool",
    ]  # fmt: skip


def test_an_error_does_not_meet_a_stop_condition() -> None:
    script = [
        [call("weather", city="Atlantis")],
        [call("weather", city="Rome")],
        "not asked any more",
    ]
    by_name = helper(tools=(weather_tool(),), options=AgentOptions(stop_when=["weather"]))
    by_condition = helper(tools=(weather_tool(),), stop_when=(has_successful_tool_call("weather"),))
    for agent in (by_name, by_condition):
        assert len(ask(agent, *script, prompt="q").steps) == 2


def test_the_third_identical_call_is_not_made() -> None:
    script = [[call("weather", f"c{n}", city="Rome")] for n in range(5)]
    result = ask(helper(tools=(weather_tool(),)), *script, prompt="q")
    assert result.finish_reason == "repeated_calls"
    assert (len(result.steps), len(CALLS)) == (3, 2)
    assert result.steps[-1].results[0].is_error


def test_tools_of_one_step_run_at_the_same_time() -> None:
    async def body() -> Any:
        barrier = asyncio.Barrier(2)

        async def meet(context: Any, arguments: dict[str, Any]) -> str:
            await barrier.wait()
            return "met"

        tool = weather_tool(timeout=5).named(run=meet, is_async=True)
        return await helper(tools=(tool,)).generate_text(prompt="q")

    script = [[call("weather", "c1", city="a"), call("weather", "c2", city="b")], "done"]
    with use_model(ScriptedModel(script)):
        result = run(body())
    assert [part.output for part in result.steps[0].results] == ["met", "met"]


def test_what_needs_approval_is_not_done() -> None:
    script = [[call("weather", city="Rome")], "ok"]
    asks = helper(tools=(weather_tool(effect="external"),))
    result = ask(asks, *script, prompt="q")
    assert "approval" in result.steps[0].results[0].output
    assert CALLS == []
    never = AgentOptions(approvals={"weather": "never"})
    assert not ask(asks, *script, prompt="q", options=never).steps[0].results[0].is_error
    harm = helper(tools=(weather_tool(effect="destructive"),))
    assert ask(harm, *script, prompt="q", options=never).steps[0].results[0].is_error
