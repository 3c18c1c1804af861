"""An answer of the demo model on the wire: one JSON object, or server-sent events at a pace."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

from agents_app.providers.demo.replies import Reply
from agents_app.providers.demo.request import DemoRequest
from agents_app.providers.demo.switches import Pace
from agents_app.providers.demo.words import count_tokens, tokens_of

ARGUMENT_CHARS = (
    12  # of a tool call's JSON per chunk, so that clients have something to put together
)
MAX_AT_ONCE = 500  # tokens per write when no pace is set, so that other streams get their turn


@dataclass(frozen=True, slots=True)
class Answer:
    """id, created (Unix seconds) and what to send. reason: OpenAI's finish_reason."""

    id: str
    created: int
    request: DemoRequest
    reply: Reply
    reason: str

    def whole(self) -> dict[str, Any]:
        """The answer of a request that is not streamed."""
        message: dict[str, Any] = {"role": "assistant", "content": self.reply.text or None}
        if self.reply.reasoning:
            message["reasoning_content"] = self.reply.reasoning
        if self.reply.calls:
            message["tool_calls"] = [_call(self.id, i, self) for i in range(len(self.reply.calls))]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage()}

    def usage(self) -> dict[str, Any]:
        """Token counts by the demo's own tokeniser."""
        given = sum(count_tokens(message.text) for message in self.request.messages)
        reasoning = count_tokens(self.reply.reasoning)
        calls = sum(
            count_tokens(call.name + orjson.dumps(call.arguments).decode())
            for call in self.reply.calls
        )
        output = count_tokens(self.reply.text) + reasoning + calls
        return {
            "prompt_tokens": given,
            "completion_tokens": output,
            "total_tokens": given + output,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }

    def deltas(self) -> Iterator[dict[str, Any]]:
        """The `delta` object of every token, in order."""
        for token in tokens_of(self.reply.reasoning):
            yield {"reasoning_content": token}
        for token in tokens_of(self.reply.text):
            yield {"content": token}
        for index in range(len(self.reply.calls)):
            yield from self._call_deltas(index)

    def frame(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        """One chunk as a server-sent event."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _event({**self._head("chat.completion.chunk"), "choices": [choice]})

    def ending(self) -> bytes:
        """The last events: finish reason, usage when asked for, and the end mark."""
        frames = [self.frame({}, self.reason)]
        if self.request.include_usage:
            head = self._head("chat.completion.chunk")
            frames.append(_event({**head, "choices": [], "usage": self.usage()}))
        return b"".join([*frames, b"data: [DONE]\n\n"])

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.request.model,
            "system_fingerprint": "demo",
        }

    def _call_deltas(self, index: int) -> Iterator[dict[str, Any]]:
        call = _call(self.id, index, self)
        arguments = call["function"]["arguments"]
        call["function"]["arguments"] = ""
        yield {"tool_calls": [{"index": index, **call}]}
        for start in range(0, len(arguments), ARGUMENT_CHARS):
            piece = arguments[start : start + ARGUMENT_CHARS]
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _call(answer_id: str, index: int, answer: Answer) -> dict[str, Any]:
    call = answer.reply.calls[index]
    arguments = orjson.dumps(call.arguments).decode()
    function = {"name": call.name, "arguments": arguments}
    return {"id": f"call_{answer_id[9:]}_{index}", "type": "function", "function": function}


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


async def play(
    answer: Answer, pace: Pace, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]
) -> None:
    """Send the events when they are due. Tokens that are late go out together.

    Returns without ending the body for `demo:drop-after`: the server then cuts the connection.
    Never returns for `demo:stall`.
    """
    switches = answer.request.switches
    if switches.stall:
        await _write(send, b"")  # the headers go out, and nothing more
        await asyncio.Event().wait()
    loop = asyncio.get_running_loop()
    started = loop.time()
    deltas = list(answer.deltas())
    if switches.drop_after is not None:
        deltas = deltas[: switches.drop_after]
    frames = [answer.frame(delta) for delta in deltas]
    frames[:0] = [answer.frame({"role": "assistant", "content": ""})]
    sent = 0
    while sent < len(frames):
        # The role's frame leaves with the first token.
        await asyncio.sleep(max(0.0, started + pace.due(max(sent - 1, 0)) - loop.time()))
        late = _due_by(pace, loop.time() - started)
        until = max(sent + 1, min(late + 2, sent + MAX_AT_ONCE, len(frames)))
        await _write(send, b"".join(frames[sent:until]))
        sent = until
    if switches.drop_after is None:
        await _write(send, answer.ending(), more=False)


def _due_by(pace: Pace, seconds: float) -> int:
    """Number of the last token that is due; large when no pace is set."""
    past_first = seconds - pace.first_token_ms / 1000
    if past_first < 0:
        return -1
    return int(past_first * pace.tokens_per_second) if pace.tokens_per_second else 1 << 30


async def _write(
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]], body: bytes, *, more: bool = True
) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
