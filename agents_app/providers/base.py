"""The contract between the agent loop and a language model, in one import.

Pure value types and a protocol: no Django, no network. Parts and messages live in `parts`, stream
events and usage in `events`, failures in `errors`; they are named here so that callers need this
module only. Nothing here retries, stores or charges.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import orjson

from agents_app.providers.errors import CUT_OFF, ErrorCode, ModelError
from agents_app.providers.events import (
    Finished,
    FinishReason,
    ReasoningDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Usage,
    event_from_json,
    output_chars,
)
from agents_app.providers.parts import (
    ChatMessage,
    FilePart,
    Part,
    ReasoningPart,
    Role,
    SourcePart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    part_from_json,
)
from one_project.common.text import is_plain_json

__all__ = [
    "ChatMessage",
    "ChatModel",
    "ChatRequest",
    "Completion",
    "CompletionBuilder",
    "ErrorCode",
    "FilePart",
    "FinishReason",
    "Finished",
    "ModelError",
    "Part",
    "ReasoningDelta",
    "ReasoningPart",
    "Role",
    "SourcePart",
    "StreamEvent",
    "TextDelta",
    "TextPart",
    "ToolCallDelta",
    "ToolCallPart",
    "ToolResultPart",
    "ToolSpec",
    "Usage",
    "collect",
    "estimate_usage",
    "event_from_json",
    "output_chars",
    "part_from_json",
]

BINARY_CHARS = (
    3_000  # an image or a PDF counts as about 750 tokens when the provider reports no usage
)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it. `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return `{"type": "tool", "name", "description", "parameters"}`."""
        return {
            "type": "tool",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build from what `to_json` returned; raises ValueError for anything else."""
        if data.get("type") != "tool" or not isinstance(data.get("parameters"), dict):
            raise ValueError("expected a tool with an object of parameters")
        return cls(str(data["name"]), str(data["description"]), data["parameters"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One call of a model.

    model: empty means the `ChatModel`'s own. max_tokens: limit of the answer in tokens.
    tool_choice: "auto", "none", "required" or a tool's name. response_format: the wire object of
    OpenAI-compatible servers, e.g. `{"type": "json_object"}`. user: an opaque id of the person,
    for the provider's abuse checks. provider_options: extra fields of the request body, sent as
    they are; a None value removes the field of that name. None anywhere else means "not sent".
    """

    messages: tuple[ChatMessage, ...]
    model: str = ""
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    response_format: dict[str, Any] | None = None
    user: str | None = None
    provider_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Lists are welcome from callers; the value itself stays immutable.
        for name in ("messages", "tools", "stop"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def to_json(self) -> dict[str, Any]:
        """Return `{"type": "chat_request", ...}`, JSON values only, fields at None left out."""
        out: dict[str, Any] = {"type": "chat_request", "model": self.model}
        out["messages"] = [message.to_json() for message in self.messages]
        out["tools"] = [tool.to_json() for tool in self.tools]
        out["stop"] = list(self.stop)
        out["provider_options"] = self.provider_options
        for name in _OPTIONAL_FIELDS:
            value = getattr(self, name)
            if value is not None:
                out[name] = value
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build from what `to_json` returned; raises ValueError for anything else."""
        if data.get("type") != "chat_request" or not isinstance(data.get("messages"), list):
            raise ValueError("expected a chat_request with a list of messages")
        return cls(
            model=str(data.get("model", "")),
            messages=tuple(ChatMessage.from_json(message) for message in data["messages"]),
            tools=tuple(ToolSpec.from_json(tool) for tool in data.get("tools", ())),
            stop=tuple(data.get("stop", ())),
            provider_options=dict(data.get("provider_options", {})),
            **{name: data[name] for name in _OPTIONAL_FIELDS if name in data},
        )


_OPTIONAL_FIELDS = (
    "tool_choice", "temperature", "top_p", "max_tokens", "seed", "response_format", "user",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer: reasoning, text and tool calls as parts, in that order."""

    parts: tuple[Part, ...]
    finish_reason: FinishReason
    usage: Usage | None = None
    model: str = ""
    response_id: str = ""
    service_tier: str = ""

    @property
    def text(self) -> str:
        """The answer's text without reasoning."""
        return ChatMessage("assistant", self.parts).plain_text

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        """The tool calls the model asks for."""
        return tuple(part for part in self.parts if isinstance(part, ToolCallPart))


class ChatModel(Protocol):
    """A language model that answers a request as a stream."""

    @property
    def provider(self) -> str:
        """Who serves it: "openai", "demo", "scripted"; used for prices and the log."""

    @property
    def model(self) -> str:
        """The model's name at the provider."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[list[StreamEvent], None]:
        """Yield the answer, one list of events per network read; the last one is `Finished`.

        Lists are never empty. `aclose()` and cancellation close the connection at once. Raises
        ModelError; a stream that ends without one has sent `Finished`.
        """

    async def complete(self, request: ChatRequest) -> Completion:
        """Return the whole answer. Raises ModelError."""

    def prepare(self) -> None:
        """Do now what would hold up the first answer; called on the loop that will stream."""


@dataclass(slots=True)
class _CallPieces:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    metadata: dict[str, Any] | None = None


class CompletionBuilder:
    """Puts stream events together. `completion()` works at any time, also for a cut answer."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _CallPieces] = {}
        self.finished: Finished | None = None

    def add(self, events: Sequence[StreamEvent]) -> None:
        """Take the next events, in the order they came."""
        for event in events:
            if isinstance(event, TextDelta):
                self._text.append(event.text)
            elif isinstance(event, ReasoningDelta):
                self._reasoning.append(event.text)
            elif isinstance(event, ToolCallDelta):
                self._add_call(event)
            else:
                self.finished = event

    def completion(self) -> Completion:
        """What has arrived so far; the reason is "unknown" before `Finished`."""
        parts: list[Part] = []
        if self._reasoning:
            parts.append(ReasoningPart("".join(self._reasoning)))
        if self._text:
            parts.append(TextPart("".join(self._text)))
        parts.extend(_call_part(index, self._calls[index]) for index in sorted(self._calls))
        end = self.finished or Finished("unknown")
        return Completion(
            tuple(parts), end.reason, end.usage, end.model, end.response_id, end.service_tier
        )

    def _add_call(self, delta: ToolCallDelta) -> None:
        call = self._calls.setdefault(delta.index, _CallPieces())
        call.id = call.id or delta.id or ""
        call.name = call.name or delta.name or ""
        call.arguments.append(delta.arguments)
        call.metadata = delta.provider_metadata or call.metadata


def _call_part(index: int, call: _CallPieces) -> ToolCallPart:
    raw = "".join(call.arguments)
    return ToolCallPart(call.id or f"call_{index}", call.name, _arguments(raw), call.metadata)


def _arguments(raw: str) -> dict[str, Any] | str:
    try:
        value = orjson.loads(raw or "{}")
    except orjson.JSONDecodeError:
        return raw
    return value if isinstance(value, dict) and is_plain_json(value) else raw


async def collect(stream: AsyncGenerator[list[StreamEvent], None]) -> Completion:
    """Read a stream to its end. Raises ModelError: what the stream raises, or that it was cut."""
    builder = CompletionBuilder()
    async with aclosing(stream):
        async for events in stream:
            builder.add(events)
    if builder.finished is None:
        raise ModelError("connection", CUT_OFF, detail="the stream ended without Finished")
    return builder.completion()


def estimate_usage(request: ChatRequest, produced_chars: int, reasoning_chars: int = 0) -> Usage:
    """Usage for a call whose provider reported none, e.g. because a person stopped it.

    `produced_chars`: characters of text, reasoning and tool arguments (see `output_chars`).
    """
    given = sum(_part_chars(part) for message in request.messages for part in message.parts)
    given += sum(len(orjson.dumps(tool.to_json())) for tool in request.tools)
    return Usage.estimate(given, produced_chars, reasoning_chars)


def _part_chars(part: Part) -> int:
    if isinstance(part, TextPart):
        return len(part.text)
    if isinstance(part, ToolCallPart):
        return len(part.name) + len(orjson.dumps(part.arguments))
    if isinstance(part, ToolResultPart):
        is_text = isinstance(part.output, str)
        return len(part.output) if is_text else len(orjson.dumps(part.output, default=str))
    if isinstance(part, FilePart):
        is_text = part.media_type.startswith("text/")
        return len(part.data or b"") if is_text else BINARY_CHARS
    return 0  # reasoning and sources are not sent
