"""Threads of programs: begun, gone on with, written to, read; agents as tools of agents."""

from typing import Any

import pytest

from agents_app.models import ToolCall
from agents_app.providers.base import ChatMessage
from agents_app.providers.parts import TextPart
from agents_app.providers.registry import use_model
from agents_app.providers.scripted import ScriptedModel
from agents_app.runtime.agent import Agent
from agents_app.runtime.store import NewMessage
from chat_app.models import Message, Thread
from one_project.common.errors import InvalidInput, NotFound
from one_project.common.ids import new_id
from tests.agents.asking import call, rows, run
from tests.people import World

pytestmark = pytest.mark.django_db(transaction=True)

HELPER = Agent(name="Helper", instructions="Be short.")


def test_a_thread_is_begun_and_asked_in(committed_world: World) -> None:
    async def body() -> Any:
        thread = await HELPER.create_thread(
            committed_world.organisation, user=committed_world.alice, title="Talk"
        )
        await thread.generate_text(prompt="q")
        return thread, await thread.get_metadata()

    with use_model(ScriptedModel(["a"])):
        thread, found = run(body())
    assert (found.title, found.user, found.status) == ("Talk", committed_world.alice, "active")
    assert [row[4] for row in rows(thread.thread_id)] == ["q", "a"]


def test_any_agent_goes_on_with_any_thread(committed_world: World) -> None:
    thread = committed_world.thread(title="Old")

    async def body() -> Any:
        found = await HELPER.continue_thread(thread.pk, user=committed_world.alice)
        await found.generate_text(prompt="q")
        with pytest.raises(InvalidInput):
            await found.update_metadata(seq="7")
        with pytest.raises(InvalidInput):
            await found.update_metadata(status="gone")
        return await found.update_metadata(title="New", summary="Short", status="archived")

    with use_model(ScriptedModel(["a"])):
        found = run(body())
    assert (found.title, found.summary, found.status) == ("New", "Short", "archived")


def test_outsider_cannot_go_on_with_a_thread(committed_world: World) -> None:
    thread = committed_world.thread()
    for asked in (
        {"user": committed_world.bob},
        {"user": committed_world.charlie},
        {"organisation": committed_world.elsewhere},
    ):
        with pytest.raises(NotFound):
            run(HELPER.continue_thread(thread.pk, **asked))
        with pytest.raises(NotFound):
            run(HELPER.save_message(thread.pk, "hello", **asked))
        with pytest.raises(NotFound):
            run(HELPER.fetch_context(thread.pk, **asked))
    with pytest.raises(NotFound):
        run(HELPER.continue_thread(new_id()))


def test_messages_are_saved_without_asking_anybody(committed_world: World) -> None:
    thread, key = committed_world.thread(), new_id()

    async def body() -> Any:
        first = await HELPER.save_message(thread.pk, "q", user=committed_world.alice, key=key)
        again = await HELPER.save_message(thread.pk, "q", key=key)
        said = NewMessage(role="assistant", parts=(TextPart("a"),))
        await HELPER.save_messages(thread.pk, [said], prompt_message_id=first.id)
        with pytest.raises(InvalidInput):
            await HELPER.save_message(thread.pk, "")
        return first, again

    first, again = run(body())
    assert first.id == again.id
    assert rows(thread.pk) == [(0, 0, "user", "success", "q"), (0, 1, "agent", "success", "a")]
    assert Message.objects.get(pk=first.id).author == committed_world.alice


def test_the_context_can_be_looked_at(committed_world: World) -> None:
    thread = committed_world.thread()

    async def body() -> Any:
        await HELPER.save_message(thread.pk, "earlier")
        extra = [ChatMessage.text("user", "extra")]
        return await HELPER.fetch_context(thread.pk, prompt="now", messages=extra)

    parts = run(body())
    assert [message.plain_text for message in parts.system] == ["Be short."]
    assert [message.plain_text for message in parts.all_messages] == ["earlier", "extra", "now"]
    assert Message.objects.count() == 1


def test_an_agent_is_a_tool_with_a_thread_of_its_own(committed_world: World) -> None:
    thread = committed_world.thread(committed_world.bob)
    expert = Agent(name="Expert", description="Knows it all.").as_tool("ask_expert")
    model = ScriptedModel([[call("ask_expert", prompt="Why?")], "Because.", "It is because."])
    with use_model(model):
        result = run(
            HELPER.generate_text(
                prompt="q", thread_id=thread.pk, tools=[expert], user=committed_world.alice
            )
        )
    assert result.text == "It is because."
    assert result.steps[0].results[0].output == "Because."
    nested = Thread.objects.get(parent=thread)
    assert (nested.depth, nested.created_by) == (1, committed_world.alice)
    assert [row[4] for row in rows(nested.pk)] == ["Why?", "Because."]
    people = set(nested.participants.values_list("user__name", flat=True))
    assert people == {"Alice", "Bob"}
    assert ToolCall.objects.get().name == "ask_expert"


def test_an_agent_is_a_tool_without_any_thread() -> None:
    expert = Agent(name="Expert").as_tool("ask_expert", "Knows it all.", argument="question")
    model = ScriptedModel([[call("ask_expert", question="Why?")], "Because.", "So."])
    with use_model(model):
        assert run(HELPER.generate_text(prompt="q", tools=[expert])).text == "So."
    assert expert.parameters["required"] == ["question"]


def test_agents_ask_one_another_three_deep_at_most() -> None:
    deepest = Agent(name="0")
    for name in "1234":
        deepest = Agent(name=name, tools=(deepest.as_tool("ask", "Knows it."),))
    asks = [[call("ask", prompt="Why?")] for _ in range(4)]
    model = ScriptedModel([*asks, "3", "2", "1", "0"])
    with use_model(model):
        assert run(deepest.generate_text(prompt="q")).text == "0"
    assert "Too many agents" in model.requests[4].messages[-1].parts[0].output
