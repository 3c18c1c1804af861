"""Parts, messages, events and requests keep their meaning through JSON."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_app.providers.base import (
    ChatMessage,
    ChatRequest,
    CompletionBuilder,
    FilePart,
    Finished,
    ModelError,
    ReasoningDelta,
    ReasoningPart,
    SourcePart,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    Usage,
    collect,
    estimate_usage,
    event_from_json,
    part_from_json,
)
from agents_app.providers.errors import MESSAGES

PARTS = [
    TextPart("hi", {"openai": {"a": 1}}),
    ReasoningPart("hm", redacted=True),
    ToolCallPart("c1", "find", {"q": "x", "n": [1, None]}),
    ToolCallPart("c2", "find", "{broken"),
    ToolResultPart("c1", "find", {"rows": []}),
    ToolResultPart("c1", "find", "no such thing", is_error=True),
    ToolResultPart("c1", "find", None),
    FilePart("image/png", data=b"\x00\xff\x10", filename="a.png"),
    FilePart("application/pdf", url="https://example.test/a.pdf"),
    SourcePart("document", "d1", "Title", excerpt="words"),
]
EVENTS = [
    TextDelta("a"),
    ReasoningDelta("b"),
    ToolCallDelta(0, "c1", "find", '{"q"', {"openai": {"extra_content": {"s": "x"}}}),
    ToolCallDelta(0, arguments=":1}"),
    Finished("stop", Usage(5, 3, 1, 1, 2, raw={"x": 1}), "m", "r"),
    Finished("unknown"),
]


def through_json(value: dict) -> dict:
    return orjson.loads(orjson.dumps(value))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.tag)
def test_a_part_survives_json(part):
    assert part_from_json(through_json(part.to_json())) == part


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.tag)
def test_an_event_survives_json(event):
    assert event_from_json(through_json(event.to_json())) == event


def test_a_request_survives_json():
    request = ChatRequest(
        model="m",
        messages=[ChatMessage.text("system", "be kind"), ChatMessage("user", PARTS)],
        tools=[ToolSpec("find", "Finds", {"type": "object"})],
        temperature=0.0,
        max_tokens=5,
        stop=["x"],
        user="u1",
        provider_options={"top_k": 3},
    )
    assert ChatRequest.from_json(through_json(request.to_json())) == request


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"type": "nonsense"},
        {"type": "text"},
        {"type": "text", "text": 5},
        {"type": "reasoning", "text": "a", "redacted": 1},
        {"type": "tool_call", "id": "a", "name": "b", "arguments": [1]},
        {"type": "file", "media_type": "a/b"},
        {"type": "file", "media_type": "a/b", "url": "x", "data": "AA=="},
        {"type": "file", "media_type": "a/b", "data": "*"},
        {"type": "source", "source_type": "else", "id": "1"},
    ],
)
def test_what_is_no_part_is_refused(data):
    with pytest.raises(ValueError):
        part_from_json(data)


def test_unknown_fields_are_ignored():
    assert part_from_json({"type": "text", "text": "a", "new": 1}) == TextPart("a")


def test_an_unknown_role_is_refused():
    with pytest.raises(ValueError):
        ChatMessage("robot", ())


counts = st.integers(-5, 10**9)


@given(counts, counts, counts, counts, counts)
def test_usage_parts_never_exceed_their_whole(given_input, output, cached, written, reasoning):
    usage = Usage(given_input, output, cached, written, reasoning)
    assert usage.input_tokens >= 0
    assert usage.output_tokens >= usage.reasoning_tokens >= 0
    assert usage.cached_input_tokens >= 0
    assert usage.cache_write_tokens >= 0
    assert usage.fresh_input_tokens >= 0
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_usage_adds_up_and_stays_an_estimate():
    total = Usage(1, 2, 1, 0, 1) + Usage(10, 20, estimated=True)
    assert total == Usage(11, 22, 1, 0, 1, estimated=True)


def test_an_estimate_counts_everything_that_is_sent():
    call = ToolCallPart("c", "find", {"q": "abcd"})
    request = ChatRequest(
        messages=[
            ChatMessage.text("user", "x" * 40),
            ChatMessage("assistant", [call, ReasoningPart("not sent" * 100)]),
            ChatMessage("tool", [ToolResultPart("c", "find", "y" * 40)]),
        ]
    )
    usage = estimate_usage(request, 9, 4)
    assert usage.estimated
    assert 20 <= usage.input_tokens <= 30
    assert (usage.output_tokens, usage.reasoning_tokens) == (3, 1)


def test_a_completion_is_put_together_in_order():
    builder = CompletionBuilder()
    builder.add([ReasoningDelta("think"), TextDelta("He"), ToolCallDelta(1, "b", "two", "{}")])
    builder.add([TextDelta("y"), ToolCallDelta(0, "a", "one", '{"x"'), ToolCallDelta(0, None)])
    builder.add([ToolCallDelta(0, arguments=":1}"), Finished("tool_calls", Usage(1, 1), "m", "r")])
    done = builder.completion()
    assert done.text == "Hey"
    assert done.parts[0] == ReasoningPart("think")
    assert done.tool_calls == (ToolCallPart("a", "one", {"x": 1}), ToolCallPart("b", "two", {}))
    assert (done.finish_reason, done.model, done.response_id) == ("tool_calls", "m", "r")


@pytest.mark.parametrize("raw", ["{broken", "[1]", "5", '"text"'])
def test_arguments_that_are_no_object_stay_raw(raw):
    builder = CompletionBuilder()
    builder.add([ToolCallDelta(0, "a", "one", raw)])
    assert builder.completion().tool_calls[0].arguments == raw


async def test_collect_tells_when_a_stream_ends_early():
    async def broken():
        yield [TextDelta("a")]

    with pytest.raises(ModelError) as caught:
        await collect(broken())
    assert caught.value.code == "connection"


@pytest.mark.parametrize("code", MESSAGES)
def test_every_error_has_a_sentence_for_people(code):
    error = ModelError(code, detail="sk-secret")
    assert str(error) == error.message_for_person
    assert error.message_for_person.endswith(".")
    assert "sk-secret" not in str(error)
