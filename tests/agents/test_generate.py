"""Programs that ask agents for text: what is kept, what tools see, what the caller is told."""

import asyncio
from typing import Any

import pytest

from agents_app.models import AICall, AICallStatus, ToolCall
from agents_app.providers.base import ChatMessage, TextDelta
from agents_app.providers.errors import ModelError
from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel, ScriptedStep
from agents_app.runtime.agent import Agent, UsageReport, agent_of
from agents_app.runtime.loop import StepDone, ToolDone
from agents_app.types import AgentOptions
from chat_app.models import Message, MessageKind, MessageStatus, Thread
from chat_app.services.conversation import send_agent_message
from one_project.common.database import in_thread
from one_project.common.errors import InvalidInput, NotFound
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


# -- without a thread


def test_an_agent_made_for_one_request_answers_without_a_thread() -> None:
    model = ScriptedModel(["It is four."])
    with use_model(model):
        result = run(helper().generate_text(prompt="2 + 2?"))
    assert (result.text, result.finish_reason, len(result.steps)) == ("It is four.", "stop", 1)
    assert (result.prompt_message_id, result.order, result.saved_messages) == (None, None, ())
    assert [message.role for message in model.last_request.messages] == ["system", "user"]
    assert not Message.objects.exists()
    assert AICall.objects.get().organisation is None


def test_asking_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput):
        ask(helper())


def test_call_wins_over_thread_wins_over_agent(committed_world: World) -> None:
    thread = committed_world.thread()
    Thread.objects.filter(pk=thread.pk).update(
        meta={"options": {"temperature": 0.5, "max_tokens": 50}}
    )
    agent = helper(options=AgentOptions(temperature=0.1, max_tokens=10, top_p=0.3))
    model = ScriptedModel(["a"])
    with use_model(model):
        options = AgentOptions(temperature=0.9, instructions="Be long.")
        run(agent.generate_text(prompt="q", thread_id=thread.pk, options=options))
    asked = model.last_request
    assert (asked.temperature, asked.max_tokens, asked.top_p) == (0.9, 50, 0.3)
    assert asked.messages[0].plain_text == "Be long."


def test_tools_of_the_call_replace_the_agents() -> None:
    other = weather_tool().named(name="other")
    model = ScriptedModel(["a"])
    with use_model(model):
        run(helper(tools=(weather_tool(),)).generate_text(prompt="q", tools=[other]))
    assert [tool.name for tool in model.last_request.tools] == ["other"]


# -- what is kept (T-G1, T-G3, T-G14)


def earlier() -> list[ChatMessage]:
    return [ChatMessage.text("user", "m1"), ChatMessage.text("user", "m2")]


@pytest.mark.parametrize(
    ("storage", "asked", "kept"),
    [
        ("all", {"prompt": "p"}, ["p", "a"]),
        ("all", {"messages": earlier()}, ["m1", "m2", "a"]),
        ("all", {"messages": earlier(), "prompt": "p"}, ["m1", "m2", "p", "a"]),
        ("prompt_and_output", {"prompt": "p"}, ["p", "a"]),
        ("prompt_and_output", {"messages": earlier()}, ["m2", "a"]),
        ("prompt_and_output", {"messages": earlier(), "prompt": "p"}, ["p", "a"]),
        ("none", {"prompt": "p"}, []),
        ("none", {"messages": earlier()}, []),
        ("none", {"messages": earlier(), "prompt": "p"}, []),
    ],
)
def test_storage_says_what_is_kept(
    committed_world: World, storage: Any, asked: dict[str, Any], kept: list[str]
) -> None:
    thread = committed_world.thread()
    model = ScriptedModel(["a"])
    with use_model(model):
        options = AgentOptions(storage=storage)
        result = run(helper().generate_text(thread_id=thread.pk, options=options, **asked))
    assert [row[4] for row in rows(thread.pk)] == kept
    assert {row[3] for row in rows(thread.pk)} <= {"success"}
    assert [message.text for message in result.saved_messages] == kept
    said = [message.plain_text for message in model.last_request.messages[1:]]
    assert said == [text.plain_text for text in asked.get("messages", [])] + (
        ["p"] if "prompt" in asked else []
    )


@pytest.mark.parametrize("storage", ["all", "none", "prompt_and_output"])
def test_of_a_stored_prompt_nothing_is_kept_again(committed_world: World, storage: Any) -> None:
    thread = committed_world.thread()
    message, _ = send_agent_message(thread, content="p", author=committed_world.alice, answer=False)
    options = AgentOptions(storage=storage)
    result = ask(helper(), "a", thread_id=thread.pk, prompt_message_id=message.pk, options=options)
    kept = [] if storage == "none" else [(0, 1, "agent", "success", "a")]
    assert rows(thread.pk) == [(0, 0, "user", "success", "p"), *kept]
    assert result.prompt_message_id == message.pk


def test_a_pending_row_is_there_at_once(committed_world: World) -> None:
    thread = committed_world.thread()
    seen: list[Any] = []

    async def look() -> None:
        seen.extend(await in_thread(rows, thread.pk))

    ask(helper(), [look, "a"], prompt="p", thread_id=thread.pk)
    assert [row[:4] for row in seen] == [(0, 0, "user", "success"), (0, 1, "agent", "pending")]


def test_orders_grow_from_call_to_call(committed_world: World) -> None:
    thread = committed_world.thread()
    results = [ask(helper(), "a", prompt=f"p{n}", thread_id=thread.pk) for n in range(3)]
    assert [result.order for result in results] == [0, 1, 2]


def test_history_is_told_before_the_prompt(committed_world: World) -> None:
    thread = committed_world.thread()
    ask(helper(), "a1", prompt="p1", thread_id=thread.pk)
    model = ScriptedModel(["a2"])
    with use_model(model):
        run(helper().generate_text(prompt="p2", thread_id=thread.pk))
    assert [message.plain_text for message in model.last_request.messages] == [
        "Be short.", "p1", "a1", "p2",
    ]  # fmt: skip


def test_text_beside_a_stored_prompt_is_sent_in_its_stead(committed_world: World) -> None:
    thread = committed_world.thread()
    message, _ = send_agent_message(thread, content="p", author=committed_world.alice, answer=False)
    model = ScriptedModel(["a"])
    with use_model(model):
        run(
            helper().generate_text(
                thread_id=thread.pk, prompt_message_id=message.pk, prompt="p with sources"
            )
        )
    assert model.last_request.messages[-1].plain_text == "p with sources"
    assert [row[4] for row in rows(thread.pk)] == ["p", "a"]


def test_agent_model_and_provider_are_told_of_answers_only(committed_world: World) -> None:
    thread = committed_world.thread()
    options = AgentOptions(provider_options={"seed": 1})
    ask(
        agent_of(committed_world.agent), "a", prompt="p", thread_id=thread.pk,
        user=committed_world.alice, options=options,
    )  # fmt: skip
    prompt, answer = Message.objects.filter(thread=thread).in_order()
    assert (prompt.agent, prompt.model, prompt.provider) == (None, "", "")
    assert (prompt.author, prompt.author_name) == (committed_world.alice, "Alice")
    assert (answer.agent, answer.author_name) == (committed_world.agent, "Guide")
    assert (answer.model, answer.provider, answer.author) == ("scripted", "scripted", None)
    assert answer.usage["output_tokens"] > 0
    assert prompt.provider_options == answer.provider_options == {"seed": 1}


def test_an_agent_of_the_program_is_named_on_what_it_said(committed_world: World) -> None:
    thread = committed_world.thread()
    ask(helper(), "a", prompt="p", thread_id=thread.pk)
    answer = Message.objects.get(thread=thread, kind=MessageKind.AGENT)
    assert (answer.agent, answer.author_name) == (None, "Helper")


# -- who may


def test_outsider_cannot_ask_in_a_thread(committed_world: World) -> None:
    thread = committed_world.thread()
    for person in (committed_world.bob, committed_world.charlie):
        with pytest.raises(NotFound):
            ask(helper(), prompt="p", thread_id=thread.pk, user=person)
    with pytest.raises(NotFound):
        ask(helper(), prompt="p", thread_id=thread.pk, organisation=committed_world.elsewhere)
    with pytest.raises(NotFound):
        ask(
            helper(), prompt="p", user=committed_world.charlie,
            organisation=committed_world.organisation,
        )  # fmt: skip
    assert rows(thread.pk) == []


# -- failures (T-G8)


def test_a_failure_is_kept_and_raised(committed_world: World) -> None:
    thread = committed_world.thread()
    error = ModelError("bad_request", detail="no")
    with pytest.raises(ModelError):
        ask(
            helper(tools=(weather_tool(),)), [call("weather", city="Rome")], error,
            prompt="q", thread_id=thread.pk,
        )  # fmt: skip
    assert [(row[2], row[3]) for row in rows(thread.pk)] == [
        ("user", "success"), ("agent", "success"), ("tool", "success"), ("agent", "failed"),
    ]  # fmt: skip
    failed = Message.objects.get(thread=thread, status=MessageStatus.FAILED)
    assert (failed.error, failed.error_code) == (error.message_for_person, "bad_request")
    assert list(AICall.objects.order_by("created_at").values_list("status", flat=True)) == [
        "success", "failed",
    ]  # fmt: skip


def test_asking_again_fails_what_was_left_pending_of_that_prompt(committed_world: World) -> None:
    thread = committed_world.thread()
    message, turn = send_agent_message(thread, content="p", author=committed_world.alice)
    send_agent_message(thread, content="q", author=committed_world.alice)
    assert turn is not None
    ask(helper(), "a", thread_id=thread.pk, prompt_message_id=message.pk)
    assert [(row[0], row[1], row[3]) for row in rows(thread.pk)] == [
        (0, 0, "success"), (0, 1, "failed"), (0, 2, "success"), (1, 0, "success"),
        (1, 1, "pending"),
    ]  # fmt: skip
    assert Message.objects.get(thread=thread, order=0, step_order=1).error == "Restarting"


def test_who_is_asked_again_meanwhile_gives_way(committed_world: World) -> None:
    thread = committed_world.thread()
    message, _ = send_agent_message(thread, content="p", author=committed_world.alice, answer=False)

    async def body() -> None:
        held, asked = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            asked.set()
            await held.wait()

        model.enqueue([wait, "late"], "early")
        late = asyncio.ensure_future(
            helper().generate_text(thread_id=thread.pk, prompt_message_id=message.pk)
        )
        await asked.wait()
        await helper().generate_text(thread_id=thread.pk, prompt_message_id=message.pk)
        held.set()
        with pytest.raises(Exception, match="begun again"):
            await late

    model = ScriptedModel()
    with use_model(model):
        run(body())
    assert [(row[3], row[4]) for row in rows(thread.pk)] == [
        ("success", "p"), ("failed", ""), ("success", "early"),
    ]  # fmt: skip


def test_the_same_key_is_the_same_call(committed_world: World) -> None:
    thread, key = committed_world.thread(), committed_world.agent.pk
    first = ask(helper(), "a", prompt="p", thread_id=thread.pk, key=key)
    again = ask(helper(), prompt="p", thread_id=thread.pk, key=key)
    assert (again.text, again.prompt_message_id) == ("a", first.prompt_message_id)
    assert len(rows(thread.pk)) == 2


def test_a_repeated_call_goes_on_where_it_failed(committed_world: World) -> None:
    thread, key = committed_world.thread(), committed_world.agent.pk
    agent = helper(tools=(weather_tool(),))
    with pytest.raises(ModelError):
        ask(
            agent, [call("weather", city="Rome")], ModelError("bad_request"),
            prompt="p", thread_id=thread.pk, key=key,
        )  # fmt: skip
    model = ScriptedModel(["Sunny."])
    with use_model(model):
        run(agent.generate_text(prompt="p", thread_id=thread.pk, key=key))
    assert [message.role for message in model.last_request.messages] == [
        "system", "user", "assistant", "tool",
    ]  # fmt: skip
    assert [row[2] for row in rows(thread.pk)] == ["user", "agent", "tool", "agent", "agent"]
    shown = Message.objects.filter(thread=thread).current()
    assert {message.status for message in shown} == {"success"}


# -- handlers (T-G9, AG-17, CX-17)


def test_usage_is_reported_for_each_model_call(committed_world: World) -> None:
    thread = committed_world.thread()
    reports: list[UsageReport] = []
    script = [[call("weather", city="Rome")], "ok"]
    agent = helper(tools=(weather_tool(),), usage_handler=reports.append)
    ask(
        agent, *script, prompt="q", thread_id=thread.pk, user=committed_world.alice,
        options=AgentOptions(storage="none"),
    )  # fmt: skip
    assert [(each.agent_name, each.model, each.provider) for each in reports] == [
        ("Helper", "scripted", "scripted")
    ] * 2
    assert {each.user_id for each in reports} == {committed_world.alice.pk}
    assert rows(thread.pk) == []

    async def later(report: UsageReport) -> None:
        reports.append(report)

    ask(agent, "a", prompt="q", usage_handler=later)
    assert len(reports) == 3


def test_raw_requests_and_responses_are_given() -> None:
    seen: list[Any] = []
    agent = helper(raw_handler=lambda request, response: seen.append((request, response)))
    ask(agent, "hello", prompt="q")
    [(request, response)] = seen
    assert request["messages"][-1]["parts"][0]["text"] == "q"
    assert response["parts"] == [{"type": "text", "text": "hello"}]


def test_a_context_handler_decides_what_is_sent(committed_world: World) -> None:
    thread = committed_world.thread()
    ask(helper(), "a1", prompt="p1", thread_id=thread.pk)
    model = ScriptedModel(["a2"])
    agent = helper(context_handler=lambda parts: parts.input_prompt)
    with use_model(model):
        run(agent.generate_text(prompt="p2", thread_id=thread.pk))
    assert [message.plain_text for message in model.last_request.messages] == ["Be short.", "p2"]


# -- streams


def test_a_stream_gives_events_and_then_the_result() -> None:
    async def body() -> Any:
        stream = helper(tools=(weather_tool(),)).stream_text(prompt="q")
        events = [event async for event in stream]
        return events, await stream.result()

    with use_model(ScriptedModel([[call("weather", city="Rome")], "It is sunny."])):
        events, result = run(body())
    words = [event.text for event in events if isinstance(event, TextDelta)]
    assert "".join(words) == result.text == "It is sunny."
    done = [event for event in events if isinstance(event, ToolDone)]
    assert [event.result.output for event in done] == ["sunny in Rome"]
    assert len([event for event in events if isinstance(event, StepDone)]) == 2


def test_leaving_a_stream_stops_the_model(committed_world: World) -> None:
    thread = committed_world.thread()

    async def body() -> None:
        async with helper().stream_text(prompt="q", thread_id=thread.pk) as stream:
            async for _ in stream:
                break

    model = ScriptedModel([ScriptedStep(["one ", "two ", "three"])])
    with use_model(model):
        run(body())
    assert model.closed == 1
    answer = Message.objects.get(thread=thread, kind=MessageKind.AGENT)
    assert (answer.status, answer.error_code) == ("failed", "stopped")
    assert AICall.objects.get().status == AICallStatus.STOPPED


def test_what_cannot_be_stored_is_left_out(committed_world: World) -> None:
    thread = committed_world.thread()
    ask(
        helper(tools=(weather_tool(),)), ["a\0b", call("weather", city="R\0me")], "c\0d\ud800",
        prompt="p\0", thread_id=thread.pk, custom={"x": "y\0"},
    )  # fmt: skip
    assert [row[4] for row in rows(thread.pk)] == ["p", "ab", "", "cd\ufffd"]
    assert ToolCall.objects.get().arguments == {"city": "Rme"}
