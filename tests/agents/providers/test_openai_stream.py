"""A streamed answer becomes the same events whatever the server's habits are."""

import orjson
import pytest

from agents_app.providers.base import (
    CompletionBuilder,
    ModelError,
    ReasoningDelta,
    TextDelta,
    ToolCallPart,
    Usage,
)
from agents_app.providers.openai_stream import ChunkReader
from agents_app.providers.sse import SseReader
from tests.agents.providers.raw_server import GOOD, chunk, sse


def answer(*payloads, cuts=None):
    """The whole answer, put together, from payloads that come in one read or cut in pieces."""
    data = sse(*payloads)
    reader, events, builder = ChunkReader(), SseReader(), CompletionBuilder()
    for piece in cuts(data) if cuts else [data]:
        builder.add(reader.read(events.feed(piece)))
    builder.add([*reader.read(events.flush()), reader.end()])
    return builder.completion()


def calls(*pieces):
    return chunk({"tool_calls": list(pieces)})


def call(arguments=None, **fields):
    return {"function": {"arguments": arguments} if arguments is not None else {}, **fields}


def test_a_plain_answer():
    done = answer(*GOOD)
    assert done.text == "Hello"
    assert done.finish_reason == "stop"
    assert done.usage == Usage(7, 3, raw=done.usage.raw)
    assert (done.model, done.response_id) == ("m-1", "r1")


def test_text_of_one_read_is_one_event():
    reader = ChunkReader()
    payloads = [orjson.dumps(chunk({"content": text})) for text in "abc"]
    assert reader.read(payloads) == [TextDelta("abc")]


def test_reasoning_and_text_keep_their_order():
    reader = ChunkReader()
    deltas = [
        {"reasoning_content": "a"},
        {"content": None, "reasoning": "b"},
        {"content": "c"},
        {"content": "", "reasoning_content": "d"},
    ]
    assert reader.read([orjson.dumps(chunk(delta)) for delta in deltas]) == [
        ReasoningDelta("ab"),
        TextDelta("c"),
        ReasoningDelta("d"),
    ]
    assert (reader.text_chars, reader.reasoning_chars) == (4, 3)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 61, 200])
def test_a_rich_answer_cut_into_pieces_of(size):
    payloads = [
        chunk({"role": "assistant", "content": None, "reasoning_content": "é…"}),
        chunk({"content": "€ \U0001f600"}),
        calls(call('{"q":', index=0, id="c1", function={"name": "f", "arguments": '{"q":'})),
        calls(call('"ü"}', index=0)),
        chunk({}, "tool_calls"),
        b"[DONE]",
    ]

    def cuts(data):
        return [data[i : i + size] for i in range(0, len(data), size)]

    assert answer(*payloads, cuts=cuts) == answer(*payloads)
    assert answer(*payloads).tool_calls == (ToolCallPart("c1", "f", {"q": "ü"}),)
    assert answer(*payloads).text == "€ \U0001f600"


@pytest.mark.parametrize(
    "pieces",
    [
        # As OpenAI does: index on every piece, id and name on the first.
        [
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}],
            [{"index": 0, "function": {"arguments": '{"x":'}}],
            [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
            [{"index": 0, "function": {"arguments": "1}"}}],
        ],
        # Whole calls, all with index 0.
        [
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":1}'}}],
            [{"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
        ],
        # No index at all, pieces without id go on with the last call.
        [
            [{"id": "a", "function": {"name": "f", "arguments": '{"x"'}}],
            [{"function": {"arguments": ":1}"}}],
            [{"id": "b", "function": {"name": "g", "arguments": ""}}],
        ],
        # Id repeated on every piece; arguments as an object.
        [
            [{"index": 3, "id": "a", "function": {"name": "f", "arguments": '{"x":'}}],
            [{"index": 3, "id": "a", "function": {"name": "f", "arguments": "1}"}}],
            [{"index": 4, "id": "b", "function": {"name": "g", "arguments": {}}}],
        ],
        # Both at once, without index.
        [
            [
                {"id": "a", "function": {"name": "f", "arguments": '{"x":1}'}},
                {"id": "b", "function": {"name": "g", "arguments": None}},
            ]
        ],
    ],
)
@pytest.mark.parametrize("reason", ["tool_calls", "stop", "function_call"])
def test_tool_calls_of_all_habits(pieces, reason):
    done = answer(*[calls(*piece) for piece in pieces], chunk({}, reason), b"[DONE]")
    assert done.tool_calls == (ToolCallPart("a", "f", {"x": 1}), ToolCallPart("b", "g", {}))
    assert done.finish_reason == "tool_calls"


def test_calls_without_ids_get_ids_of_their_own():
    pieces = [{"index": i, "function": {"name": "f", "arguments": "{}"}} for i in (0, 1)]
    first, second = answer(calls(*pieces), chunk({}, "tool_calls")).tool_calls
    assert first.id
    assert second.id
    assert first.id != second.id


def test_what_gemini_wants_back_is_kept():
    piece = {"index": 0, "id": "a", "function": {"name": "f"}, "extra_content": {"s": 1}}
    (found,) = answer(calls(piece), chunk({}, "tool_calls")).tool_calls
    assert found.provider_metadata == {"openai": {"extra_content": {"s": 1}}}


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("stop", "stop"), ("length", "length"), ("max_tokens", "length"), ("STOP", "stop"),
        ("content_filter", "content_filter"), ("end_turn", "stop"), ("novelty", "unknown"),
    ],
)  # fmt: skip
def test_finish_reasons(sent, meant):
    assert answer(chunk({"content": "a"}, sent)).finish_reason == meant


def test_a_refusal_is_shown_and_marked():
    done = answer(chunk({"refusal": "I cannot."}), chunk({}, "stop"), b"[DONE]")
    assert (done.text, done.finish_reason) == ("I cannot.", "content_filter")


def test_only_the_first_choice_counts():
    two = {"id": "r", "choices": [
        {"index": 1, "delta": {"content": "B"}, "finish_reason": "length"},
        {"index": 0, "delta": {"content": "A"}, "finish_reason": None},
    ]}  # fmt: skip
    done = answer(two, chunk({}, "stop"))
    assert (done.text, done.finish_reason) == ("A", "stop")


def test_strange_fields_are_ignored():
    odd = {"id": 5, "choices": [{"delta": {"content": ["x"], "tool_calls": 1, "z": {}}}], "q": []}
    assert answer(odd, chunk({"content": "ok"}), chunk({}, "stop")).text == "ok"


DETAILED = {
    "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 20},
}  # fmt: skip


@pytest.mark.parametrize(
    "payloads",
    [
        [chunk({}, "stop"), {"choices": [], "usage": DETAILED}, b"[DONE]"],
        [chunk({}, "stop", usage=DETAILED), b"[DONE]"],
        [chunk({}, "stop"), chunk({}, None, usage=DETAILED), b"[DONE]"],
        [chunk({"content": ""}, None, usage={"prompt_tokens": 100, "completion_tokens": 1}),
         chunk({}, "stop", usage=DETAILED), {"choices": [], "usage": None}],
        [chunk({}, "stop", usage=None), {"choices": None, "usage": DETAILED}],
    ],
)  # fmt: skip
def test_usage_wherever_it_stands(payloads):
    usage = answer(chunk({"content": "a"}), *payloads).usage
    assert usage == Usage(100, 50, 40, 10, 20, raw=DETAILED)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ([], None),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_cache_hit_tokens": 3},
         (5, 2, 3, 0, 0)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 17,
          "completion_tokens_details": {"reasoning_tokens": 10}}, (5, 12, 0, 0, 10)),
        # Anthropic counts what was cached beside the input.
        ({"input_tokens": 5, "output_tokens": 2, "cache_creation_input_tokens": 4},
         (9, 2, 0, 4, 0)),
        ({"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 7},
         (12, 2, 7, 0, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "cache_read_input_tokens": 7},
         (9, 2, 7, 0, 0)),
        ({"prompt_tokens": 10**15, "completion_tokens": 10**15}, (10**12, 10**12, 0, 0, 0)),
        ({"prompt_tokens": "5", "completion_tokens": 2.0, "prompt_tokens_details": None},
         (0, 2, 0, 0, 0)),
    ],
)  # fmt: skip
def test_usage_dialects(raw, expected):
    usage = answer(chunk({"content": "a"}, "stop", usage=raw)).usage
    assert usage == (None if expected is None else Usage(*expected, raw=raw))


@pytest.mark.parametrize(
    "payloads", [[], [chunk({"content": "a"})], [b"[DONE]"], [chunk({"role": "assistant"})]]
)
def test_an_answer_without_an_end_was_cut_off(payloads):
    with pytest.raises(ModelError) as caught:
        answer(*payloads)
    assert (caught.value.code, caught.value.retryable) == ("connection", True)
    assert "cut off" in caught.value.message_for_person


def test_a_server_that_closes_properly_without_a_reason():
    assert answer(chunk({"content": "a"}), b"[DONE]").finish_reason == "unknown"


def test_a_reason_is_enough_without_the_end_mark():
    assert answer(chunk({"content": "a"}, "stop")).finish_reason == "stop"


def test_nothing_counts_after_the_end_mark():
    reader = ChunkReader()
    good = orjson.dumps(chunk({"content": "a"}))
    assert reader.read([good, b"[DONE]", good]) == [TextDelta("a")]
    assert reader.read([b"garbage"]) == []


@pytest.mark.parametrize("payload", [b"{", b"[]", b"5", b'{"choices": 5}'])
def test_unreadable_chunks(payload):
    with pytest.raises(ModelError) as caught:
        answer(payload)
    assert caught.value.code == "invalid_response"


def test_an_error_in_the_middle():
    with pytest.raises(ModelError) as caught:
        answer(chunk({"content": "a"}), {"error": {"message": "oops", "code": 503}})
    assert (caught.value.code, caught.value.retryable) == ("overloaded", True)


def test_an_empty_answer_is_an_answer():
    done = answer(chunk({}, "stop"), b"[DONE]")
    assert done.parts == ()
