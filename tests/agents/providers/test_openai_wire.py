"""What goes out to the server: our messages in its format, and nothing it may not know."""

from agents_app.providers.base import (
    ChatMessage,
    ChatRequest,
    FilePart,
    ReasoningPart,
    SourcePart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from agents_app.providers.openai_wire import request_body


def body_of(*messages, **options):
    return request_body(ChatRequest(messages=messages, **options), "m")


def test_a_plain_request_has_only_what_is_needed():
    assert body_of(ChatMessage.text("user", "hi")) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_options_and_the_last_word_of_provider_options():
    request = ChatRequest(
        model="other",
        messages=[ChatMessage.text("user", "hi")],
        tools=[ToolSpec("find", "", {"type": "object"})],
        tool_choice="find",
        temperature=0.0,
        max_tokens=9,
        stop=["END"],
        seed=0,
        user="u",
        provider_options={"top_k": 2, "stream_options": None, "temperature": 1},
    )
    body = request_body(request, "m", limit_field="max_completion_tokens")
    assert body["model"] == "other"
    assert body["tools"] == [
        {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "find"}}
    assert body["max_completion_tokens"] == 9
    assert (body["temperature"], body["top_k"], body["seed"]) == (1, 2, 0)
    assert "stream_options" not in body
    assert "max_tokens" not in body


def test_tool_choice_is_not_sent_without_tools():
    assert "tool_choice" not in body_of(ChatMessage.text("user", "hi"), tool_choice="required")


def test_a_tool_round():
    kept = {"openai": {"extra_content": {"sig": "s"}}}
    body = body_of(
        ChatMessage(
            "assistant",
            [ReasoningPart("hm"), ToolCallPart("c1", "find", {"q": "é"}, kept),
             ToolCallPart("c2", "find", "{bad")],
        ),
        ChatMessage(
            "tool",
            [ToolResultPart("c1", "find", {"n": 1}),
             ToolResultPart("c2", "find", "no JSON", is_error=True)],
        ),
    )  # fmt: skip
    assert body["messages"] == [
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "find", "arguments": '{"q":"é"}'},
                    "extra_content": {"sig": "s"},
                },
                {"id": "c2", "type": "function", "function": {"name": "find", "arguments": "{bad"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '{"n":1}'},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: no JSON"},
    ]


def test_files():
    (message,) = body_of(
        ChatMessage(
            "user",
            [
                TextPart("see"),
                FilePart("image/png", url="https://x.test/a.png"),
                FilePart("image/png", data=b"\x01"),
                FilePart("audio/wav", data=b"\x02"),
                FilePart("application/pdf", data=b"\x03", filename="a.pdf"),
                FilePart("application/pdf", url="https://x.test/a.pdf", filename="a.pdf"),
                FilePart("text/csv", data=b"a,b", filename="t.csv"),
            ],
        ),
        provider_options={"sees_images": True},
    )["messages"]
    parts = message["content"]
    assert [part["type"] for part in parts] == [
        "text", "image_url", "image_url", "input_audio", "file", "text", "text",
    ]  # fmt: skip
    assert parts[2]["image_url"] == {"url": "data:image/png;base64,AQ=="}
    assert parts[3]["input_audio"] == {"data": "Ag==", "format": "wav"}
    assert parts[4]["file"]["file_data"] == "data:application/pdf;base64,Aw=="
    assert "https://x.test/a.pdf" in parts[5]["text"]
    assert "a,b" in parts[6]["text"]


def test_messages_with_nothing_to_send_are_left_out():
    body = body_of(
        ChatMessage("assistant", [ReasoningPart("only thought"), SourcePart("url", "1")]),
        ChatMessage("user", [TextPart("")]),
        ChatMessage("user", [TextPart("a"), TextPart("b")]),
    )
    assert body["messages"] == [{"role": "user", "content": "ab"}]
