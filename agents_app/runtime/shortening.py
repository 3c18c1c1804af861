"""Messages made shorter where leaving some out is not enough: the middle of long texts goes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from agents_app.providers.parts import (
    ChatMessage,
    FilePart,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from agents_app.runtime.tokens import count_message

# Characters. Below the first a tool's result says hardly anything, below the last nothing does.
USEFUL, LEAST = 2_000, 60

Shorten = Callable[[Part, int], Part]


def shortened(messages: Sequence[ChatMessage], budget: int, model: str = "") -> list[ChatMessage]:
    """``messages`` with at most ``budget`` tokens, as far as shortening can do it.

    First the results of tools, down to a useful rest; then what tools were given and everything
    else, all to the same length, so that only long texts lose something.
    """
    cut = list(messages)
    longest = max((_longest(message) for message in messages), default=0)
    for shorten, least in ((_results, USEFUL), (_anything, LEAST)):
        limit = longest
        while limit > least and _tokens(cut, model) > budget:
            limit = max(limit * 2 // 3, least)
            # Always from the original, so that what is said to be missing is right.
            cut = [_cut(message, shorten, limit) for message in messages]
    return cut


def cut_middle(text: str, limit: int) -> str:
    """At most about ``limit`` characters of ``text``: its beginning, its end, and what is missing.

    "… 12,345 characters left out …" stands in the middle and comes on top of the limit.
    """
    if len(text) <= limit + LEAST:
        return text
    head = limit * 2 // 3
    tail = limit - head
    left_out = len(text) - limit
    return f"{text[:head]}\n… {left_out:,} characters left out …\n{text[-tail:] if tail else ''}"


def _tokens(messages: Sequence[ChatMessage], model: str) -> int:
    return sum(count_message(message, model) for message in messages)


def _cut(message: ChatMessage, shorten: Shorten, limit: int) -> ChatMessage:
    return replace(message, parts=tuple(shorten(part, limit) for part in message.parts))


def _results(part: Part, limit: int) -> Part:
    if isinstance(part, ToolResultPart) and len(text := _text(part.output)) > limit:
        return replace(part, output=cut_middle(text, limit))
    return part


def _anything(part: Part, limit: int) -> Part:
    if isinstance(part, TextPart):
        return replace(part, text=cut_middle(part.text, limit))
    if isinstance(part, ToolCallPart):
        return replace(part, arguments=_arguments(part.arguments, limit))
    if isinstance(part, FilePart) and part.data and part.media_type.startswith("text/"):
        text = part.data.decode("utf-8", "replace")
        return replace(part, data=cut_middle(text, limit).encode())
    return _results(part, min(limit, USEFUL))


def _arguments(value: Any, limit: int) -> Any:
    """Arguments stay the JSON object they are; only long texts in them are cut."""
    if isinstance(value, str):
        return cut_middle(value, limit)
    if isinstance(value, dict):
        return {key: _arguments(inner, limit) for key, inner in value.items()}
    if isinstance(value, list):
        return [_arguments(inner, limit) for inner in value]
    return value


def _longest(message: ChatMessage) -> int:
    return max((_length(part) for part in message.parts), default=0)


def _length(part: Part) -> int:
    if isinstance(part, TextPart):
        return len(part.text)
    if isinstance(part, ToolResultPart):
        return len(_text(part.output))
    if isinstance(part, ToolCallPart):
        return len(_text(part.arguments))
    return len(part.data or b"") if isinstance(part, FilePart) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
