"""What a message is made of: parts, and the message that holds them.

Pure values. Not the database rows (chat_app stores `to_json`) and not a provider's wire format.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeAlias

from agents_app.providers.json_values import JsonValue, read_tagged

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
ROLES: frozenset[str] = frozenset({"system", "user", "assistant", "tool"})

# Opaque to everyone but the provider that wrote it, keyed by provider: {"openai": {...}}.
ProviderMetadata: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TextPart(JsonValue):
    """Text, as Markdown."""

    tag: ClassVar[str] = "text"
    text: str
    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class ReasoningPart(JsonValue):
    """What a model thought aloud. `redacted`: the provider kept the words to itself."""

    tag: ClassVar[str] = "reasoning"
    text: str
    redacted: bool = False
    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class ToolCallPart(JsonValue):
    """One use of a tool that a model asks for.

    `arguments` is the parsed JSON object, or the model's raw text when it is no JSON object: the
    caller then answers with an error result, so that the model can correct itself.
    """

    tag: ClassVar[str] = "tool_call"
    id: str
    name: str
    arguments: dict[str, Any] | str
    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class ToolResultPart(JsonValue):
    """The answer to the call `call_id`. `output` is any JSON value; text is sent as it is."""

    tag: ClassVar[str] = "tool_result"
    call_id: str
    name: str
    output: Any
    is_error: bool = False
    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class FilePart(JsonValue):
    """A file or an image: exactly one of `url`, `data` and `file_id`, and its media type.

    `file_id` names a stored file (`agents_app.services.files`), `size` its bytes; what is sent to
    a model has its `data` as well, which `to_json` leaves out: records of calls name the file.
    Raises ValueError when none is given, or more than one.
    """

    tag: ClassVar[str] = "file"
    media_type: str
    url: str | None = None
    data: bytes | None = None
    filename: str | None = None
    provider_metadata: ProviderMetadata | None = None
    file_id: str | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        inline = self.data if self.file_id is None else self.file_id
        if (self.url is None) == (inline is None):
            raise ValueError("a file has either a url, data or a file_id")

    def to_json(self) -> dict[str, Any]:
        """As every part; a stored file without its bytes."""
        # No super(): a class with slots is made a second time, which its methods do not know.
        told = JsonValue.to_json(self)
        if self.file_id is not None:
            told.pop("data", None)
        return told

    @property
    def is_image(self) -> bool:
        """Whether a vision model can look at it."""
        return self.media_type.startswith("image/")


@dataclass(frozen=True, slots=True)
class SourcePart(JsonValue):
    """Where an answer comes from: a web page or a document. Shown to people, not sent to models."""

    tag: ClassVar[str] = "source"
    source_type: Literal["url", "document"]
    id: str
    title: str = ""
    url: str | None = None
    media_type: str | None = None
    excerpt: str | None = None
    provider_metadata: ProviderMetadata | None = None

    def __post_init__(self) -> None:
        if self.source_type not in ("url", "document"):
            raise ValueError(f"unknown source_type {self.source_type!r}")


Part: TypeAlias = TextPart | ReasoningPart | ToolCallPart | ToolResultPart | FilePart | SourcePart

PART_CLASSES: dict[str, type[Part]] = {
    cls.tag: cls
    for cls in (TextPart, ReasoningPart, ToolCallPart, ToolResultPart, FilePart, SourcePart)
}


def part_from_json(data: object) -> Part:
    """Build a part from what its `to_json` returned; raises ValueError for anything else."""
    return read_tagged(data, PART_CLASSES, "part")


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message to or from a model: a role and its parts, in order.

    Raises ValueError for an unknown role.
    """

    role: Role
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"unknown role {self.role!r}")
        # Lists are welcome from callers; the value itself stays immutable.
        object.__setattr__(self, "parts", tuple(self.parts))

    @classmethod
    def text(cls, role: Role, text: str) -> Self:
        """A message of one text part."""
        return cls(role, (TextPart(text),))

    @property
    def plain_text(self) -> str:
        """The text parts joined, without reasoning, tool calls and files."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    def to_json(self) -> dict[str, Any]:
        """Return `{"type": "message", "role": ..., "parts": [...]}`."""
        parts = [part.to_json() for part in self.parts]
        return {"type": "message", "role": self.role, "parts": parts}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build from what `to_json` returned; raises ValueError for anything else."""
        parts = data.get("parts")
        if data.get("type") != "message" or not isinstance(parts, list):
            raise ValueError("expected a message with a list of parts")
        return cls(data.get("role", ""), tuple(part_from_json(part) for part in parts))
