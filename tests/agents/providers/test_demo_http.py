"""The demo server over HTTP, asked by our own client: pace, failures, hanging up, shutting down."""

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from agents_app.providers.base import (
    ChatMessage,
    ChatRequest,
    ModelError,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    output_chars,
)
from agents_app.providers.openai import OpenAIChatModel, close_clients
from tests.agents.providers.conftest import ROOT, running_demo

WEATHER = ToolSpec(
    "get_weather",
    "Current weather of a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def ask(text, **options):
    return ChatRequest(messages=[ChatMessage.text("user", text)], **options)


def http_request(url, method, path, body=None):
    """Status, headers and JSON of a plain request."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        data = body if isinstance(body, bytes | None) else json.dumps(body)
        connection.request(method, path, data)
        response = connection.getresponse()
        return response.status, response.headers, json.loads(response.read())
    finally:
        connection.close()


async def failure(model, text):
    with pytest.raises(ModelError) as caught:
        await model.complete(ask(text))
    return caught.value


async def test_a_streamed_answer_with_the_servers_usage(demo_model):
    done = await demo_model.complete(ask("Hello!"))
    assert "demo model of ONE" in done.text
    assert done.finish_reason == "stop"
    assert done.usage.output_tokens > 10
    assert not done.usage.estimated
    assert done.response_id.startswith("chatcmpl-demo-")


async def test_streamed_and_whole_answers_are_the_same(demo_model, demo_url):
    streamed = await demo_model.complete(ask("What can you do?"))
    body = {"model": "one-demo", "messages": [{"role": "user", "content": "What can you do?"}]}
    _, _, whole = http_request(demo_url, "POST", "/v1/chat/completions", body)
    assert whole["choices"][0]["message"]["content"] == streamed.text
    assert whole["usage"]["completion_tokens"] == streamed.usage.output_tokens
    assert whole["usage"]["prompt_tokens"] == streamed.usage.input_tokens


async def test_an_exact_number_of_tokens(demo_model):
    done = await demo_model.complete(ask("demo:tokens=400 demo:tps=0 demo:first=0"))
    assert done.usage.output_tokens == 400


async def test_a_long_answer_arrives_whole(demo_model):
    done = await demo_model.complete(ask("Write 100 KB about ships. demo:tps=0"))
    assert len(done.text) > 100 * 1024


async def test_a_limit_and_a_stop_word(demo_model):
    short = await demo_model.complete(ask("write 500 words about tea", max_tokens=7))
    assert (short.finish_reason, short.usage.output_tokens) == ("length", 7)
    stopped = await demo_model.complete(ask("say one two three", stop=["two"]))
    assert (stopped.text, stopped.finish_reason) == ("one ", "stop")


async def test_reasoning(demo_model):
    done = await demo_model.complete(ask("Think step by step: what is 12 * 7?"))
    assert done.parts[0].tag == "reasoning"
    assert done.usage.reasoning_tokens > 0
    assert "84" in done.text


async def test_a_tool_round(demo_model):
    question = ChatMessage.text("user", "What is the weather in Berlin?")
    first = await demo_model.complete(ChatRequest(messages=[question], tools=[WEATHER]))
    assert first.finish_reason == "tool_calls"
    (call,) = first.tool_calls
    assert (call.name, call.arguments) == ("get_weather", {"city": "Berlin"})
    answered = ChatRequest(
        messages=[
            question,
            ChatMessage("assistant", [ToolCallPart(call.id, call.name, call.arguments)]),
            ChatMessage("tool", [ToolResultPart(call.id, call.name, {"sky": "clear"})]),
        ],
        tools=[WEATHER],
    )
    done = await demo_model.complete(answered)
    assert done.finish_reason == "stop"
    assert "clear" in done.text


@pytest.mark.parametrize(
    ("switch", "code", "status", "retry_after"),
    [
        ("demo:error=500", "server_error", 500, None),
        ("demo:error=429;retry-after=1", "rate_limited", 429, 1.0),
        ("demo:error=400", "bad_request", 400, None),
        ("demo:error=400;code=context_length_exceeded", "context_too_long", 400, None),
        ("demo:error=401", "auth", 401, None),
    ],
)
async def test_failures_on_purpose(demo_model, switch, code, status, retry_after):
    error = await failure(demo_model, f"hello {switch}")
    assert (error.code, error.status, error.retry_after) == (code, status, retry_after)


async def test_a_connection_cut_after_some_tokens(demo_model):
    events = []

    async def follow():
        async for some in demo_model.stream(ask("write 50 words about tea demo:drop-after=5")):
            events.extend(some)

    with pytest.raises(ModelError) as caught:
        await follow()
    assert (caught.value.code, caught.value.retryable) == ("connection", True)
    assert output_chars(events) > 0


async def test_failing_a_few_times(demo_model):
    text = "say hi demo:fail-times=2;key=abc"
    assert [(await failure(demo_model, text)).status for _ in range(2)] == [500, 500]
    assert (await demo_model.complete(ask(text))).text == "hi"


async def test_only_the_last_message_may_ask_for_failures(demo_model):
    messages = [
        ChatMessage.text("system", "demo:error=500"),
        ChatMessage.text("user", "demo:error=500"),
        ChatMessage.text("assistant", "demo:stall"),
        ChatMessage.text("user", "say hi"),
    ]
    assert (await demo_model.complete(ChatRequest(messages=messages))).text == "hi"


async def test_a_stalled_answer_can_be_given_up(demo_model, demo_url):
    task = asyncio.create_task(demo_model.complete(ask("demo:stall")))
    async with asyncio.timeout(5):
        await wait_for_streams(demo_url, 1)
        task.cancel()
        await wait_for_streams(demo_url, 0)
    with pytest.raises(asyncio.CancelledError):
        await task


async def wait_for_streams(url, count):
    while True:
        _, _, health = await asyncio.to_thread(http_request, url, "GET", "/healthz")
        if health["open_streams"] == count:
            return


async def test_the_pace(demo_url, clients_closed):
    name = "one-demo:tps=100,first=50"
    model = OpenAIChatModel(name, api_key="x", base_url=f"{demo_url}/v1")
    loop = asyncio.get_running_loop()
    started = loop.time()
    times = [loop.time() - started async for _ in model.stream(ask("demo:tokens=20"))]
    assert times[0] >= 0.05
    assert times[-1] >= 0.05 + 19 / 100  # never faster than asked; how late depends on the machine


async def test_models(demo_model):
    assert await demo_model.list_models() == ["one-demo"]


GOOD_BODY = {"model": "one-demo", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/healthz", None, 200),
        ("GET", "/nowhere", None, 404),
        ("GET", "/v1/chat/completions", None, 405),
        ("POST", "/v1/models", b"", 405),
        ("POST", "/v1/chat/completions", b"{", 400),
        ("POST", "/v1/chat/completions", b"\xff", 400),
        ("POST", "/v1/chat/completions", [], 400),
        ("POST", "/v1/chat/completions", {}, 400),
        ("POST", "/v1/chat/completions", GOOD_BODY | {"model": "gpt"}, 404),
        ("POST", "/v1/chat/completions", GOOD_BODY | {"model": "one-demo:tps=-1"}, 400),
        ("POST", "/v1/chat/completions", GOOD_BODY | {"demo": {"error": 500}}, 400),
        ("POST", "/v1/chat/completions", GOOD_BODY | {"messages": []}, 400),
        ("POST", "/v1/chat/completions", GOOD_BODY | {"messages": [{"role": "x"}]}, 400),
        ("POST", "/v1/chat/completions", GOOD_BODY | {"stream": "yes"}, 400),
        ("POST", "/v1/chat/completions", GOOD_BODY | {"max_tokens": 0}, 400),
        ("POST", "/v1/chat/completions", GOOD_BODY | {"tools": [{}]}, 400),
        ("POST", "/v1/chat/completions", GOOD_BODY | {"stop": 5}, 400),
        ("POST", "/v1/chat/completions", b" " * (32 * 1024 * 1024 + 1), 413),
    ],
)
def test_requests_are_checked(demo_url, method, path, body, status):
    found, headers, answer = http_request(demo_url, method, path, body)
    assert found == status
    if status >= 400:
        assert set(answer["error"]) == {"message", "type", "param", "code"}
    if status == 405:
        assert headers["allow"]


@pytest.mark.parametrize(
    ("env", "status", "said"),
    [({}, 1, "cannot listen"), ({"ONE_DEMO_TOKENS_PER_SECOND": "-1"}, 2, "not a pace")],
)
def test_a_server_that_cannot_start_says_why(demo_url, env, status, said):
    port = str(urlsplit(demo_url).port)
    ended = subprocess.run(
        [sys.executable, "-m", "agents_app.providers.demo", "--port", port],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, said in ended.stderr) == (status, True)


@pytest.mark.parametrize("text", ["demo:stall", "write 9000 words about tea demo:tps=1"])
async def test_the_server_stops_at_once_with_an_open_answer(text, clients_closed):
    with running_demo() as (process, url):
        model = OpenAIChatModel("one-demo", api_key="x", base_url=f"{url}/v1")
        task = asyncio.create_task(model.complete(ask(text)))
        await wait_for_streams(url, 1)
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 2)
        with pytest.raises(ModelError) as caught:
            await task
        assert caught.value.retryable
        await close_clients()


async def test_a_plan_comes_as_text_and_calls_in_one_answer(demo_model):
    calculator = ToolSpec(
        "calculator",
        "Arithmetic",
        {
            "type": "object",
            "properties": {"expression": {"type": "string"}},
            "required": ["expression"],
        },
    )
    text = "weather in Berlin and what is 2+3, both together"
    done = await demo_model.complete(ask(text, tools=[WEATHER, calculator]))
    assert done.text == "I will look up the weather and work out the sum."
    assert [call.name for call in done.tool_calls] == ["get_weather", "calculator"]
    assert done.finish_reason == "tool_calls"
