"""What a model sends while it answers, and what the answer cost.

Pure values. A provider yields them in lists, one list per network read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeAlias

from agents_app.providers.json_values import JsonValue, read_tagged
from agents_app.providers.parts import ProviderMetadata

FinishReason: TypeAlias = Literal[
    "stop", "length", "tool_calls", "content_filter", "error", "unknown"
]
FINISH_REASONS: frozenset[str] = frozenset(
    {"stop", "length", "tool_calls", "content_filter", "error", "unknown"}
)

CHARS_PER_TOKEN = 4  # the usual rule of thumb for English; only for estimates, which say so


@dataclass(frozen=True, slots=True)
class Usage(JsonValue):
    """Tokens of one model call.

    `cached_input_tokens` and `cache_write_tokens` are parts of `input_tokens` and never exceed it
    together; `reasoning_tokens` is part of `output_tokens`. Values that break this are cut down,
    because a provider's slip must not fail a finished answer. `estimated`: counted by us from the
    length of the text, since the provider sent nothing. `raw`: the provider's own object.
    """

    tag: ClassVar[str] = "usage"
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    raw: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        given_input = max(self.input_tokens, 0)
        given_output = max(self.output_tokens, 0)
        cached = min(max(self.cached_input_tokens, 0), given_input)
        clamped = {
            "input_tokens": given_input,
            "output_tokens": given_output,
            "cached_input_tokens": cached,
            "cache_write_tokens": min(max(self.cache_write_tokens, 0), given_input - cached),
            "reasoning_tokens": min(max(self.reasoning_tokens, 0), given_output),
        }
        for name, value in clamped.items():
            object.__setattr__(self, name, value)

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def fresh_input_tokens(self) -> int:
        """Input that was neither read from nor written to the provider's cache."""
        return self.input_tokens - self.cached_input_tokens - self.cache_write_tokens

    def __add__(self, other: "Usage") -> "Usage":
        """The sum of two calls; estimated if either is; `raw` is dropped."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_input_tokens=self.cached_input_tokens + other.cached_input_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            estimated=self.estimated or other.estimated,
        )

    @classmethod
    def estimate(cls, input_chars: int, output_chars: int, reasoning_chars: int = 0) -> Self:
        """Usage from character counts; `output_chars` includes `reasoning_chars`."""
        return cls(
            input_tokens=tokens_of(input_chars),
            output_tokens=tokens_of(output_chars),
            reasoning_tokens=tokens_of(reasoning_chars),
            estimated=True,
        )


def tokens_of(chars: int) -> int:
    """Tokens in so many characters, rounded up."""
    return -(-max(chars, 0) // CHARS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class TextDelta(JsonValue):
    """The next piece of the answer's text."""

    tag: ClassVar[str] = "text_delta"
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta(JsonValue):
    """The next piece of what the model thinks aloud."""

    tag: ClassVar[str] = "reasoning_delta"
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta(JsonValue):
    """The next piece of the tool call number `index` (0, 1, ...) of this answer.

    `id` and `name` come once, with the first piece; `arguments` is the next piece of JSON text.
    """

    tag: ClassVar[str] = "tool_call_delta"
    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class Finished(JsonValue):
    """The last event of every answer that was not cut off. Raises ValueError: unknown reason.

    `model`, `response_id` and `service_tier` are what the provider says it used; empty when it
    does not say.
    """

    tag: ClassVar[str] = "finished"
    reason: FinishReason
    usage: Usage | None = None
    model: str = ""
    response_id: str = ""
    service_tier: str = ""

    def __post_init__(self) -> None:
        if self.reason not in FINISH_REASONS:
            raise ValueError(f"unknown finish reason {self.reason!r}")

    def to_json(self) -> dict[str, Any]:
        """Return a dict of JSON values; usage as its own object or absent."""
        out: dict[str, Any] = {"type": self.tag, "reason": self.reason, "model": self.model}
        out["response_id"] = self.response_id
        if self.service_tier:
            out["service_tier"] = self.service_tier
        if self.usage is not None:
            out["usage"] = self.usage.to_json()
        return out

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Build from what `to_json` returned; raises ValueError for anything else."""
        if not isinstance(data, dict) or data.get("type") != cls.tag:
            raise ValueError(f"expected type {cls.tag!r}")
        usage = data.get("usage")
        return cls(
            reason=data.get("reason", ""),
            usage=None if usage is None else Usage.from_json(usage),
            model=str(data.get("model", "")),
            response_id=str(data.get("response_id", "")),
            service_tier=str(data.get("service_tier", "")),
        )


StreamEvent: TypeAlias = TextDelta | ReasoningDelta | ToolCallDelta | Finished

EVENT_CLASSES: dict[str, type[StreamEvent]] = {
    cls.tag: cls for cls in (TextDelta, ReasoningDelta, ToolCallDelta, Finished)
}


def event_from_json(data: object) -> StreamEvent:
    """Build an event from what its `to_json` returned; raises ValueError for anything else."""
    return read_tagged(data, EVENT_CLASSES, "event")


def output_chars(events: Iterable[StreamEvent]) -> int:
    """Characters a model produced in `events`: text, reasoning and tool arguments."""
    total = 0
    for event in events:
        if isinstance(event, ToolCallDelta):
            total += len(event.arguments) + len(event.name or "")
        elif not isinstance(event, Finished):
            total += len(event.text)
    return total
