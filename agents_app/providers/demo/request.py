"""A Chat Completions request as the demo model reads it, checked.

Refuses what OpenAI refuses, with the same error objects; ignores the fields it has no use for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents_app.providers.demo.switches import (
    Switches,
    read_body_field,
    read_model_name,
    read_text,
)

MODEL = "one-demo"
_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


class RequestError(Exception):
    """A request that is refused with `status` and an OpenAI-style error object."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(self.status, kind)
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return {"error": error}


@dataclass(frozen=True, slots=True)
class Message:
    """role: system, user, assistant or tool. calls: names of the tools called, by call id."""

    role: str
    text: str
    calls: dict[str, str] = field(default_factory=dict)
    call_id: str = ""
    has_image: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that may be called; `parameters` is its JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """messages: the last user message is without its `demo:` words. max_tokens: None for no limit.

    tool_choice: auto, none, required or a tool's name. schema: of the JSON answer asked for.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    tool_choice: str
    stream: bool
    include_usage: bool
    max_tokens: int | None
    stop: tuple[str, ...]
    schema: dict[str, Any] | None
    switches: Switches

    @property
    def question(self) -> str:
        """The last user message, or empty."""
        return next((one.text for one in reversed(self.messages) if one.role == "user"), "")


def read_request(body: object) -> DemoRequest:
    """Check a parsed body. Raises RequestError."""
    if not isinstance(body, dict):
        raise RequestError(400, "The body must be a JSON object.")
    model, switches = _model(body)
    messages = _messages(body.get("messages"))
    last = max((i for i, one in enumerate(messages) if one.role == "user"), default=None)
    if last is not None:
        old = messages[last]
        text, switches = read_text(old.text, switches)
        messages[last] = Message("user", text, has_image=old.has_image)
    options = body.get("stream_options")
    tools = _tools(body.get("tools"))
    return DemoRequest(
        model=model,
        messages=tuple(messages),
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice"), tools),
        stream=_boolean(body, "stream"),
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        max_tokens=_limit(body, "max_completion_tokens") or _limit(body, "max_tokens"),
        stop=_stop(body.get("stop")),
        schema=_schema(body.get("response_format")),
        switches=switches,
    )


def _model(body: Mapping[str, Any]) -> tuple[str, Switches]:
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise RequestError(400, "You must name a model.", param="model")
    try:
        base, switches = read_model_name(name)
        switches = read_body_field(body.get("demo"), switches)
    except ValueError as error:
        raise RequestError(400, f"Not a demo option: {error}", param="model") from error
    if base != MODEL:
        message = f"The model {name[:100]!r} does not exist here; the demo serves {MODEL!r}."
        raise RequestError(404, message, param="model", code="model_not_found")
    return name, switches


def _messages(value: object) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise RequestError(400, "messages must be a list with at least one.", param="messages")
    return [_message(item, f"messages[{index}]") for index, item in enumerate(value)]


def _message(item: object, where: str) -> Message:
    if not isinstance(item, dict):
        raise RequestError(400, f"{where} must be an object.", param=where)
    role = _ROLES.get(str(item.get("role")))
    if role is None:
        raise RequestError(400, f"{where} has no known role.", param=f"{where}.role")
    calls = item.get("tool_calls")
    names: dict[str, str] = {}
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise RequestError(400, f"{where} has a call without a function.", param=where)
        names[str(call.get("id"))] = str(function.get("name"))
    text, has_image = _content(item.get("content"), f"{where}.content")
    return Message(role, text, names, str(item.get("tool_call_id") or ""), has_image)


def _content(value: object, where: str) -> tuple[str, bool]:
    if value is None:
        return "", False
    if isinstance(value, str):
        return value, False
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise RequestError(400, f"{where} must be text or a list of parts.", param=where)
    texts = [part.get("text") for part in value if part.get("type") == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise RequestError(400, f"{where} has a text part without text.", param=where)
    return "\n".join(map(str, texts)), any(part.get("type") == "image_url" for part in value)


def _tools(value: object) -> tuple[Tool, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise RequestError(400, "tools must be a list.", param="tools")
    found = []
    for index, item in enumerate(value):
        function = item.get("function") if isinstance(item, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name:
            raise RequestError(400, f"tools[{index}] has no function name.", param="tools")
        parameters = function.get("parameters")
        description = str(function.get("description") or "")
        found.append(Tool(name, description, parameters if isinstance(parameters, dict) else {}))
    return tuple(found)


def _tool_choice(value: object, tools: tuple[Tool, ...]) -> str:
    if isinstance(value, dict):
        function = value.get("function")
        value = function.get("name") if isinstance(function, dict) else None
    if value is None:
        return "auto"
    known = {"auto", "none", "required", *(tool.name for tool in tools)}
    if not isinstance(value, str) or value not in known:
        raise RequestError(400, "tool_choice names no tool.", param="tool_choice")
    return value


def _boolean(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise RequestError(400, f"{name} must be true or false.", param=name)
    return bool(value)


def _limit(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RequestError(400, f"{name} must be a whole number above 0.", param=name)
    return value


def _stop(value: object) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise RequestError(400, "stop must be text or a list of texts.", param="stop")
    return tuple(item for item in items if item)


def _schema(value: object) -> dict[str, Any] | None:
    if not isinstance(value, dict) or value.get("type") in (None, "text"):
        return None
    wrapped = value.get("json_schema")
    schema = wrapped.get("schema") if isinstance(wrapped, dict) else None
    return schema if isinstance(schema, dict) else {"type": "object"}
