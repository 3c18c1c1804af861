"""An OpenAI-compatible model server that asks for tools as it is told: ``python -m ... PORT``.

A question ``plan <id> <steps>`` names the tools to ask for: steps are separated by blanks, the
calls of one step by ``+``. ``plan k7 read+write external`` asks for two calls at once, then for
one, then says ``done k7``. Each call carries the key ``<id>.<step>.<place>``. A ``delegate`` has
the other agent follow a plan of its own, an ``ask`` has it answer in words. What comes next is
read off the request alone, so a request that is repeated is answered alike.
"""

import argparse
import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

import uvloop

PLAN = re.compile(r"plan (\S+)((?: [a-z_+]+)*)")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
HELPER = "Helper"
HELPER_STEPS = "read write"


def next_calls(messages: Sequence[dict[str, Any]]) -> tuple[str, list[tuple[str, dict[str, str]]]]:
    """The text and the calls (tool name, arguments) that answer a conversation."""
    place, found = 0, None
    for index, message in enumerate(messages):
        if message.get("role") == "user" and (match := PLAN.search(str(message.get("content")))):
            place, found = index, match
    if found is None:
        return "Nothing to do.", []
    key, steps = found[1], found[2].split()
    made = sum(1 for message in messages[place:] if message.get("tool_calls"))
    if made >= len(steps):
        return f"done {key}", []
    return "", [
        _call(name, f"{key}.{made}.{number}") for number, name in enumerate(steps[made].split("+"))
    ]


def _call(name: str, key: str) -> tuple[str, dict[str, str]]:
    if name in {"delegate", "ask"}:
        task = f"plan {key} {HELPER_STEPS if name == 'delegate' else ''}".strip()
        return "delegate_to_agent", {"agent": HELPER, "task": task}
    return f"trial_{name}", {"key": key}


def answer(body: bytes) -> bytes:
    """The whole event stream for one request."""
    messages = json.loads(body or b"{}").get("messages", [])
    text, calls = next_calls(messages)
    delta: dict[str, Any] = {"role": "assistant"}
    if text:
        delta["content"] = text
    if calls:
        delta["tool_calls"] = [
            {
                "index": number,
                "id": f"call_{arguments.get('key') or arguments['task'].split()[1]}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for number, (name, arguments) in enumerate(calls)
        ]
    end = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}
    usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {"choices": [end]},
        {"choices": [], "usage": usage},
    ]
    shared = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "tools"}
    lines = [f"data: {json.dumps({**shared, **chunk})}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


class Connection(asyncio.Protocol):
    """Reads requests, one after the other, and answers each after ``delay`` seconds."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.received, 0, end + 2)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < whole:
                return
            body, self.received = self.received[end + 4 : whole], self.received[whole:]
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.say, body)
            else:
                self.say(body)

    def say(self, body: bytes) -> None:
        if self.transport.is_closing():
            return
        stream = answer(body)
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
            f"Content-Length: {len(stream)}\r\n\r\n"
        )
        self.transport.write(head.encode() + stream)


async def serve(port: int, delay: float) -> None:
    """Serve on loopback until ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(delay), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    given = parser.parse_args()
    uvloop.run(serve(given.port, given.delay))


if __name__ == "__main__":
    main()
