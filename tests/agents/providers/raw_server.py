"""A tiny HTTP server on 127.0.0.1 that answers with exactly the bytes a test gives it.

Not a test module. One answer per request, in order; requests are recorded.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson


@dataclass
class Reply:
    """chunks are sent as HTTP chunks one by one; then the body ends, is cut, or stays open."""

    chunks: Iterable[bytes] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/event-stream"
    ending: str = "end"  # "end", "cut", "open", "reset-before-headers"
    before: Callable[[], Awaitable[object]] | None = None


def json_reply(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(
        [orjson.dumps(body)], status=status, headers=headers or {}, content_type="application/json"
    )


def sse(*payloads: object) -> bytes:
    """Events with these payloads: bytes as they are, anything else as JSON."""
    return b"".join(
        b"data: " + (one if isinstance(one, bytes) else orjson.dumps(one)) + b"\n\n"
        for one in payloads
    )


def chunk(delta: dict | None = None, finish: str | None = None, **extra: object) -> dict:
    """A chunk of a streamed answer."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "r1", "model": "m-1", "choices": [choice], **extra}


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
GOOD = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Hel"}),
    chunk({"content": "lo"}),
    chunk({}, "stop"),
    {"id": "r1", "model": "m-1", "choices": [], "usage": USAGE},
    b"[DONE]",
]


class RawServer:
    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.requests: list[dict] = []
        self.heads: list[str] = []
        self.connections = 0
        self.answering = asyncio.Event()  # all chunks of a reply that stays open are out
        self.client_gone = asyncio.Event()
        self.url = ""
        self._tasks: set[asyncio.Task] = set()

    def add(self, *replies: Reply) -> None:
        self.replies.extend(replies)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        self.connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            self.client_gone.set()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        length = next(
            (int(line.split(":")[1]) for line in head.lower().split("\r\n")
             if line.startswith("content-length:")), 0
        )  # fmt: skip
        body = await reader.readexactly(length)
        self.requests.append(orjson.loads(body) if body else {})
        reply = self.replies.pop(0)
        if reply.before:
            await reply.before()
        if reply.ending == "reset-before-headers":
            return False
        headers = {"Content-Type": reply.content_type, "Transfer-Encoding": "chunked"}
        lines = [f"{name}: {value}" for name, value in (headers | reply.headers).items()]
        writer.write(f"HTTP/1.1 {reply.status} X\r\n".encode())
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        for piece in reply.chunks:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        if reply.ending == "open":
            self.answering.set()
            await reader.readexactly(1)  # raises at the client's hanging up
        if reply.ending == "end":
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return reply.ending == "end"

    async def stop(self) -> None:
        if self._tasks:  # the clients are closed, so they end by themselves
            _, stuck = await asyncio.wait(self._tasks, timeout=2)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def running_raw_server() -> AsyncIterator[RawServer]:
    raw = RawServer()
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    raw.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield raw
    finally:
        server.close()
        await raw.stop()
        await server.wait_closed()
