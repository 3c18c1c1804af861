"""From the chunks of a Chat Completions stream to our events.

Pure: bytes of JSON in, events out; no network, no `openai` objects (building one per chunk is the
largest single cost of streaming). Forgiving where compatible servers differ, strict where guessing
would change the answer.
"""

from typing import Any, Final
from uuid import uuid4

import orjson

from agents_app.providers.errors import CUT_OFF, ModelError
from agents_app.providers.events import (
    Finished,
    FinishReason,
    ReasoningDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from agents_app.providers.openai_errors import error_in_stream
from agents_app.providers.openai_usage import read_usage

_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "error": "error",
}


class ChunkReader:
    """Reads one answer. Feed it every event's data, then ask for `end()` when the stream is over.

    Neighbouring pieces of text within one network read become one event.
    """

    def __init__(self, secret: str = "") -> None:
        self.done = False  # [DONE] was seen
        self.text_chars = 0
        self.reasoning_chars = 0
        self._secret = secret
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None
        self._refused = False
        self._model = ""
        self._response_id = ""
        self._tier = ""
        self._calls: list[str] = []  # ids by our index
        self._call_of_wire: dict[Any, int] = {}  # the server's index to ours
        self._out: list[StreamEvent] = []
        self._pending: list[str] = []  # pieces of text or reasoning not yet an event
        self._pending_is_text = True

    def read(self, payloads: list[bytes]) -> list[StreamEvent]:
        """Return the events in these events' data; stops at `[DONE]`. Raises ModelError."""
        self._out = []
        if self.done:
            return []
        for payload in payloads:
            if payload == b"[DONE]":
                self.done = True
                break
            if payload:
                self._read_chunk(self._parse(payload))
        self._close_pending()
        return self._out

    def end(self) -> Finished:
        """The last event; its usage is None when the server sent none.

        Raises ModelError (connection, retryable) when the answer stopped without saying why.
        """
        reason = self._reason
        if reason is None:
            if not self.done or not (self.text_chars or self._calls):
                raise ModelError("connection", CUT_OFF, detail="no finish_reason in the stream")
            reason = "unknown"  # a server that closes properly but gives no reason
        if reason == "stop" and self._calls:
            reason = "tool_calls"  # several servers say "stop" after tool calls
        elif reason == "stop" and self._refused:
            reason = "content_filter"
        return Finished(reason, self._usage, self._model, self._response_id, self._tier)

    @property
    def finish_seen(self) -> bool:
        """Whether the answer is complete even if the connection fails now."""
        return self._reason is not None

    def _parse(self, payload: bytes) -> dict[str, Any]:
        try:
            chunk = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise _unreadable(f"not JSON: {error}") from error
        if not isinstance(chunk, dict):
            raise _unreadable(f"a chunk is a {type(chunk).__name__}")
        return chunk

    def _read_chunk(self, chunk: dict[str, Any]) -> None:
        choices = chunk.get("choices")
        if not self._response_id or not choices or "error" in chunk:
            self._read_envelope(chunk, choices)
        usage = chunk.get("usage")
        if usage:
            self._usage = read_usage(usage) or self._usage
        if not choices:
            return
        if not isinstance(choices, list):
            raise _unreadable("choices is no list")
        for choice in choices:
            # Only the first answer is used; we never ask for more.
            if isinstance(choice, dict) and not choice.get("index"):
                self._read_choice(choice)

    def _read_envelope(self, chunk: dict[str, Any], choices: object) -> None:
        if chunk.get("error") or (not choices and chunk.get("object") == "error"):
            raise error_in_stream(chunk, self._secret)
        self._response_id = self._response_id or str(chunk.get("id") or "")
        self._model = self._model or str(chunk.get("model") or "")
        # The last chunk knows what the first only hopes for.
        self._tier = str(chunk.get("service_tier") or "") or self._tier

    def _read_choice(self, choice: dict[str, Any]) -> None:
        # A server that ignores `stream` sends the whole message at once.
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            content = delta.get("content")
            if content and isinstance(content, str):
                self._add_text(content, is_text=True)
            if not content or len(delta) > 1:
                self._read_other(delta)
        reason = choice.get("finish_reason")
        if reason:
            self._reason = _REASONS.get(str(reason).lower(), "unknown")

    def _read_other(self, delta: dict[str, Any]) -> None:
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            self._add_text(reasoning, is_text=False)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._refused = True
            self._add_text(refusal, is_text=True)
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            whole = len(calls) > 1  # calls that come together are told apart by their place
            for place, call in enumerate(calls):
                if isinstance(call, dict):
                    self._add_call(call, place if whole else None)

    def _add_text(self, text: str, *, is_text: bool) -> None:
        if is_text != self._pending_is_text:
            self._close_pending()
            self._pending_is_text = is_text
        self._pending.append(text)
        self.text_chars += len(text)
        if not is_text:
            self.reasoning_chars += len(text)

    def _close_pending(self) -> None:
        if self._pending:
            text = "".join(self._pending)
            self._out.append(TextDelta(text) if self._pending_is_text else ReasoningDelta(text))
            self._pending = []

    def _add_call(self, call: dict[str, Any], place: int | None) -> None:
        self._close_pending()
        given = call.get("function")
        function: dict[str, Any] = given if isinstance(given, dict) else {}
        index, is_new = self._call_index(call.get("index", place), str(call.get("id") or ""))
        arguments = function.get("arguments")
        if arguments is not None and not isinstance(arguments, str):
            arguments = orjson.dumps(arguments).decode()  # an object instead of JSON text
        extra = call.get("extra_content")
        self.text_chars += len(arguments or "")
        self._out.append(
            ToolCallDelta(
                index=index,
                id=self._calls[index] if is_new else None,
                name=str(function.get("name") or "") or None,
                arguments=arguments or "",
                provider_metadata={"openai": {"extra_content": extra}} if extra else None,
            )
        )

    def _call_index(self, wire_index: object, call_id: str) -> tuple[int, bool]:
        """Our index for a piece of a call, and whether the call is new.

        Servers leave the index out, or send every call with index 0 and an id of its own.
        """
        key = wire_index if isinstance(wire_index, int) else (call_id or "last")
        known = self._call_of_wire.get(key)
        if known is None and key == "last" and self._calls:
            known = len(self._calls) - 1
        if known is not None and (not call_id or call_id == self._calls[known]):
            return known, False
        self._calls.append(call_id or f"call_{uuid4().hex}")
        self._call_of_wire[key] = len(self._calls) - 1
        return len(self._calls) - 1, True


def _unreadable(detail: str) -> ModelError:
    # Worth another try: the same request usually gets a readable answer.
    return ModelError("invalid_response", retryable=True, detail=detail)
