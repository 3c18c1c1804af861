"""The real client against a real server on 127.0.0.1: bytes, failures, hanging up."""

import asyncio

import openai
import pytest

from agents_app.providers.base import ChatMessage, ChatRequest, ModelError, TextDelta
from agents_app.providers.openai import OpenAIChatModel, close_clients, shared_client
from tests.agents.providers.raw_server import GOOD, USAGE, Reply, chunk, json_reply, sse

REQUEST = ChatRequest(messages=[ChatMessage.text("user", "hello you")])


async def read(model, request=REQUEST):
    return [event for events in [e async for e in model.stream(request)] for event in events]


async def failure(model) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await model.complete(REQUEST)
    return caught.value


async def test_an_answer(raw, raw_model):
    raw.add(Reply([sse(*GOOD)]))
    done = await raw_model.complete(REQUEST)
    assert (done.text, done.finish_reason, done.usage.raw) == ("Hello", "stop", USAGE)
    (sent,) = raw.requests
    assert sent["messages"] == [{"role": "user", "content": "hello you"}]
    assert sent["stream"] is True
    head = raw.heads[0].lower()
    assert head.startswith("post /v1/chat/completions ")
    assert "authorization: bearer sk-test-key-123456" in head


@pytest.mark.parametrize("size", [1, 3, 10])
async def test_small_network_reads(raw, raw_model, size):
    data = sse(*GOOD, b"[DONE]").replace(b"lo", "lö€".encode()).replace(b"\n", b"\r\n")
    raw.add(Reply([data[i : i + size] for i in range(0, len(data), size)]))
    assert (await raw_model.complete(REQUEST)).text == "Hellö€"


async def test_connections_are_used_again(raw, raw_model):
    raw.add(*[Reply([sse(*GOOD)]) for _ in range(3)])
    for _ in range(3):
        await raw_model.complete(REQUEST)
    assert raw.connections == 1


async def test_no_usage_is_estimated(raw, raw_model):
    raw.add(Reply([sse(chunk({"content": "x" * 40}, "stop"), b"[DONE]")]))
    usage = (await raw_model.complete(REQUEST)).usage
    assert (usage.estimated, usage.input_tokens, usage.output_tokens) == (True, 3, 10)


async def test_a_server_that_does_not_stream(raw, raw_model):
    message = {"role": "assistant", "content": "at once"}
    body = {"id": "r", "model": "m", "usage": USAGE}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    raw.add(json_reply({**body, "choices": [choice]}))
    done = await raw_model.complete(REQUEST)
    assert (done.text, done.usage.input_tokens, done.usage.estimated) == ("at once", 7, False)


@pytest.mark.parametrize(
    ("reply", "code", "retryable", "retry_after"),
    [
        (json_reply({"error": {"message": "x"}}, 500), "server_error", True, None),
        (json_reply({"error": {"message": "x"}}, 429, {"Retry-After": "1"}), "rate_limited", True,
         1.0),
        (json_reply({"error": {"message": "x"}}, 503, {"retry-after-ms": "20"}), "overloaded",
         True, 0.02),
        (json_reply({"error": {"code": "insufficient_quota"}}, 429), "quota_exhausted", False,
         None),
        (json_reply({"error": {"message": "bad sk-test-key-123456"}}, 401), "auth", False, None),
        (json_reply({"error": {"code": "model_not_found"}}, 404), "not_found", False, None),
        (json_reply({"error": {"code": "context_length_exceeded"}}, 400), "context_too_long",
         False, None),
        (Reply([b"<html>no</html>"], status=502, content_type="text/html"), "overloaded", True,
         None),
        (Reply([b"<html>hi</html>"], content_type="text/html"), "invalid_response", False, None),
        (Reply([b"data: {broken\n\n"]), "invalid_response", True, None),
        (json_reply({"error": {"message": "x", "type": "server_error"}}), "server_error", True,
         None),
        (Reply(ending="reset-before-headers"), "connection", True, None),
        (Reply([sse(chunk({"content": "a"}))], ending="cut"), "connection", True, None),
        (Reply([sse(chunk({"content": "a"}))]), "connection", True, None),
        (Reply([sse(chunk({"content": "a"})), b'data: {"id'], ending="cut"), "connection", True,
         None),
        (Reply([sse(chunk({"content": "a"})) + b'data: {"id']), "connection", True, None),
    ],
)  # fmt: skip
async def test_failures(raw, raw_model, reply, code, retryable, retry_after):
    raw.add(reply)
    error = await failure(raw_model)
    assert (error.code, error.retryable, error.retry_after) == (code, retryable, retry_after)
    assert "sk-test-key" not in repr(error)
    assert len(raw.requests) == 1  # nothing is retried at this level


async def test_a_cut_after_the_reason_is_no_failure(raw, raw_model):
    raw.add(Reply([sse(chunk({"content": "a"}, "stop"))], ending="cut"))
    done = await raw_model.complete(REQUEST)
    assert (done.text, done.finish_reason, done.usage.estimated) == ("a", "stop", True)


async def test_what_came_before_the_cut_was_delivered(raw, raw_model):
    raw.add(Reply([sse(chunk({"content": "a"}))], ending="cut"))
    events = []

    async def follow():
        async for some in raw_model.stream(REQUEST):
            events.extend(some)

    with pytest.raises(ModelError):
        await follow()
    assert events == [TextDelta("a")]


async def test_nobody_listens(raw, clients_closed):
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    error = await failure(OpenAIChatModel("m", api_key="k", base_url=f"http://127.0.0.1:{port}/v1"))
    assert (error.code, error.retryable, error.status) == ("connection", True, None)


async def test_silence_ends_in_a_timeout(raw):
    raw.add(Reply([sse(chunk({"content": "a"}))], ending="open"))
    error = await failure(OpenAIChatModel("m", api_key="k", base_url=raw.url, read_timeout=0.05))
    assert (error.code, error.retryable) == ("timeout", True)


async def test_text_that_cannot_be_encoded(raw, raw_model):
    with pytest.raises(ModelError) as caught:
        await raw_model.complete(ChatRequest(messages=[ChatMessage.text("user", "\ud800")]))
    assert caught.value.code == "bad_request"


async def test_closing_the_iterator_hangs_up(raw, raw_model):
    raw.add(Reply([sse(chunk({"content": "a"}))], ending="open"))
    stream = raw_model.stream(REQUEST)
    assert await anext(stream) == [TextDelta("a")]
    await stream.aclose()
    async with asyncio.timeout(1):
        await raw.client_gone.wait()


async def test_cancelling_while_tokens_are_awaited_hangs_up(raw, raw_model):
    raw.add(Reply([sse(chunk({"content": "a"}))], ending="open"))
    task = asyncio.create_task(raw_model.complete(REQUEST))
    await raw.answering.wait()
    task.cancel()
    async with asyncio.timeout(1):
        await raw.client_gone.wait()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelling_before_the_headers_hangs_up(raw, raw_model):
    asked, client_left = asyncio.Event(), asyncio.Event()

    async def before():
        asked.set()
        await client_left.wait()

    raw.add(Reply([], ending="open", before=before))
    task = asyncio.create_task(raw_model.complete(REQUEST))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    client_left.set()
    async with asyncio.timeout(1):
        await raw.client_gone.wait()


async def test_closing_before_the_start_asks_nothing(raw, raw_model):
    await raw_model.stream(REQUEST).aclose()
    assert raw.connections == 0


async def test_a_server_that_goes_on_after_the_end_mark_holds_nobody_up(raw, raw_model):
    raw.add(Reply([sse(*GOOD)], ending="open"))
    async with asyncio.timeout(1):
        assert (await raw_model.complete(REQUEST)).text == "Hello"
        await raw.client_gone.wait()


async def test_no_object_is_built_per_chunk(raw, raw_model, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a pydantic object per chunk")

    monkeypatch.setattr(openai.types.chat.ChatCompletionChunk, "__init__", refuse)
    monkeypatch.setattr(openai.types.chat.ChatCompletionChunk, "construct", refuse)
    monkeypatch.setattr("openai._models.construct_type", refuse)
    monkeypatch.setattr("openai._streaming.AsyncStream.__init__", refuse)
    raw.add(Reply([sse(*GOOD)]))
    assert (await raw_model.complete(REQUEST)).text == "Hello"


async def test_one_client_per_server_key_and_loop(clients_closed):
    first = shared_client("http://127.0.0.1:1/v1", "a")
    assert shared_client("http://127.0.0.1:1/v1", "a") is first
    assert shared_client("http://127.0.0.1:1/v1", "b") is not first
    assert first.max_retries == 0
    await close_clients()
    assert first.is_closed()
    assert shared_client("http://127.0.0.1:1/v1", "a") is not first


async def test_models_are_listed(raw, raw_model):
    raw.add(json_reply({"object": "list", "data": [{"id": "b"}, {"id": "a"}]}))
    assert await raw_model.list_models() == ["a", "b"]


async def test_a_refused_list_of_models(raw, raw_model):
    raw.add(json_reply({"error": {"message": "no"}}, 401))
    with pytest.raises(ModelError) as caught:
        await raw_model.list_models()
    assert caught.value.code == "auth"


async def test_openai_itself_gets_its_own_name_for_the_limit(raw):
    request = ChatRequest(messages=REQUEST.messages, max_tokens=5)
    raw.add(Reply([sse(*GOOD)]))
    await read(OpenAIChatModel("m", api_key="k", base_url=raw.url), request)
    assert raw.requests[0]["max_tokens"] == 5
    assert OpenAIChatModel("m", api_key="k")._limit_field == "max_completion_tokens"
