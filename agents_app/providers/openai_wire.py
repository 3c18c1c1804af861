"""From our requests to the body of a Chat Completions call.

Pure: returns JSON values. Fields we have no value for are left out, never sent as null: several
compatible servers refuse what they do not know.
"""

import base64
from collections.abc import Iterator
from typing import Any

import orjson

from agents_app.providers.base import ChatRequest, ToolSpec
from agents_app.providers.parts import (
    ChatMessage,
    FilePart,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from agents_app.providers.vision import OPTION, sees_images

_AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


def request_body(
    request: ChatRequest, model: str, *, limit_field: str = "max_tokens"
) -> dict[str, Any]:
    """The JSON body of a streamed request.

    model: used when the request names none. limit_field: what this server calls the limit of the
    answer. `provider_options` come last: they replace fields, and a None removes one; but
    `sees_images`, which says whether pictures may be sent, stays here.
    """
    asked = request.model or model
    sees = sees_images(asked, request.provider_options)
    body: dict[str, Any] = {
        "model": asked,
        "messages": [wire for one in request.messages for wire in wire_messages(one, sees=sees)],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    optional = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        limit_field: request.max_tokens,
        "seed": request.seed,
        "response_format": request.response_format,
        "user": request.user,
        "stop": list(request.stop) or None,
        "tools": [_tool(tool) for tool in request.tools] or None,
        # Servers refuse a tool_choice without tools.
        "tool_choice": _tool_choice(request.tool_choice) if request.tools else None,
    }
    body.update({name: value for name, value in optional.items() if value is not None})
    body.update(request.provider_options)
    body.pop(OPTION, None)
    return {name: value for name, value in body.items() if value is not None}


def wire_messages(message: ChatMessage, *, sees: bool = True) -> Iterator[dict[str, Any]]:
    """One message of ours as wire messages: each tool result becomes a message of its own.

    Reasoning and sources are not sent; of a picture only its name where the model does not see. A
    message with nothing to send yields nothing.
    """
    for part in message.parts:
        if isinstance(part, ToolResultPart):
            yield {"role": "tool", "tool_call_id": part.call_id, "content": _result_text(part)}
    if message.role == "tool":
        return
    content = _content(message, sees)
    wire: dict[str, Any] = {"role": message.role}
    if content:
        wire["content"] = content
    calls = [_tool_call(part) for part in message.parts if isinstance(part, ToolCallPart)]
    if calls and message.role == "assistant":
        wire["tool_calls"] = calls
    if len(wire) > 1:
        yield wire


def _content(message: ChatMessage, sees: bool) -> str | list[dict[str, Any]]:
    """Plain text wherever possible: not every server takes a list of parts."""
    pieces = [piece for part in message.parts if (piece := _content_piece(part, sees)) is not None]
    if message.role != "user" or all(piece["type"] == "text" for piece in pieces):
        return "".join(piece["text"] for piece in pieces if piece["type"] == "text")
    return pieces


def _content_piece(part: Part, sees: bool) -> dict[str, Any] | None:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text} if part.text else None
    return _file(part, sees) if isinstance(part, FilePart) else None


def _file(part: FilePart, sees: bool) -> dict[str, Any]:
    name = part.filename or ("picture" if part.is_image else "file")
    if part.url is None and part.data is None:
        return {"type": "text", "text": f"\nFile {name}: it cannot be read here.\n"}
    if part.is_image and not sees:
        return {"type": "text", "text": f"\nFile {name}: a picture, which you cannot see.\n"}
    if part.is_image:
        return {"type": "image_url", "image_url": {"url": part.url or _data_url(part)}}
    if part.data is None:
        # Chat Completions takes no links to files, but a model may have a tool that reads them.
        return {"type": "text", "text": f"\n[{name}]({part.url})\n"}
    if part.media_type.startswith("text/"):
        text = part.data.decode("utf-8", errors="replace")
        return {"type": "text", "text": f"\nFile {name}:\n{text}\n"}
    if part.media_type in _AUDIO_FORMATS:
        encoded = base64.b64encode(part.data).decode("ascii")
        audio = {"data": encoded, "format": _AUDIO_FORMATS[part.media_type]}
        return {"type": "input_audio", "input_audio": audio}
    return {"type": "file", "file": {"filename": name, "file_data": _data_url(part)}}


def _data_url(part: FilePart) -> str:
    encoded = base64.b64encode(part.data or b"").decode("ascii")
    return f"data:{part.media_type};base64,{encoded}"


def _tool_call(part: ToolCallPart) -> dict[str, Any]:
    arguments = part.arguments
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    wire: dict[str, Any] = {
        "id": part.id,
        "type": "function",
        "function": {"name": part.name, "arguments": text},
    }
    # Gemini's compatible endpoint wants its signature back with every call it made.
    kept = (part.provider_metadata or {}).get("openai")
    if isinstance(kept, dict) and "extra_content" in kept:
        wire["extra_content"] = kept["extra_content"]
    return wire


def _result_text(part: ToolResultPart) -> str:
    text = part.output if isinstance(part.output, str) else orjson.dumps(part.output).decode()
    return f"Error: {text}" if part.is_error else text


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _tool_choice(choice: str | None) -> str | dict[str, Any] | None:
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}
