"""The scripted model does what the script says, in order, and keeps account."""

import asyncio

import pytest

from agents_app.providers.base import (
    ChatMessage,
    ChatModel,
    ChatRequest,
    Finished,
    ModelError,
    TextDelta,
    ToolCallPart,
    Usage,
)
from agents_app.providers.scripted import ScriptedModel, ScriptedStep, ScriptEndedError

REQUEST = ChatRequest(messages=[ChatMessage.text("user", "hi")])


async def read(model: ChatModel):
    return [events async for events in model.stream(REQUEST)]


async def test_texts_come_word_by_word():
    model = ScriptedModel(["one two", "", "three"])
    first = await read(model)
    assert first[:2] == [[TextDelta("one ")], [TextDelta("two")]]
    assert first[2][0].reason == "stop"
    assert first[2][0].usage.estimated
    assert [(await model.complete(REQUEST)).text for _ in range(2)] == ["", "three"]
    assert model.requests == [REQUEST] * 3
    assert (model.started, model.completed, model.closed, model.remaining) == (3, 3, 0, 0)
    assert model.last_request is REQUEST


async def test_tool_calls():
    calls = (ToolCallPart("a", "f", {"x": 1}), ToolCallPart("b", "g", "{bad"))
    model = ScriptedModel([["Let me see. ", *calls]])
    done = await model.complete(REQUEST)
    assert done.tool_calls == calls
    assert done.finish_reason == "tool_calls"


async def test_failures_at_once_and_in_the_middle():
    model = ScriptedModel([ModelError("rate_limited")])
    model.enqueue(ScriptedStep(["a"], fail=ModelError("connection")), "fine")
    with pytest.raises(ModelError) as caught:
        await read(model)
    assert caught.value.code == "rate_limited"
    stream = model.stream(REQUEST)
    assert await anext(stream) == [TextDelta("a")]
    with pytest.raises(ModelError):
        await anext(stream)
    assert (await model.complete(REQUEST)).text == "fine"


async def test_usage_and_finish_of_the_script_win():
    usage = Usage(1, 2)
    model = ScriptedModel([ScriptedStep(["a"], usage=usage), ["b", Finished("length")]])
    assert (await model.complete(REQUEST)).usage is usage
    assert (await read(model))[-1] == [Finished("length")]


async def test_a_gate_holds_the_answer():
    gate = asyncio.Event()
    reached = asyncio.Event()

    async def arrived():
        reached.set()

    model = ScriptedModel([["a", arrived, gate, "b"]])
    task = asyncio.create_task(model.complete(REQUEST))
    await reached.wait()
    assert not task.done()
    gate.set()
    assert (await task).text == "ab"


async def test_being_closed_or_cancelled_is_counted():
    reached = asyncio.Event()

    async def arrived():
        reached.set()

    model = ScriptedModel([["a", arrived, asyncio.Event()]], repeat=True)
    stream = model.stream(REQUEST)
    await anext(stream)
    await stream.aclose()
    task = asyncio.create_task(model.complete(REQUEST))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (model.started, model.completed, model.closed) == (2, 0, 2)


async def test_delays(monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr("agents_app.providers.scripted.asyncio.sleep", sleep)
    await read(ScriptedModel(["a b c"], initial_delay=2, chunk_delay=0.5))
    assert slept == [2, 0.5, 0.5]


async def test_the_end_of_the_script():
    with pytest.raises(ScriptEndedError):
        await ScriptedModel().complete(REQUEST)
