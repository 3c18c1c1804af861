"""The demo model's HTTP server, as a plain ASGI app: the part of OpenAI's API that chat needs.

Paths: POST /v1/chat/completions, POST /v1/embeddings, GET /v1/models, GET /healthz. Every fault of
a request becomes an OpenAI-style error object; nothing is stored but the counters of
`demo:fail-times`.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from itertools import count
from typing import Any, TypeAlias

import orjson

from agents_app.providers.demo import stream
from agents_app.providers.demo.embedding import embeddings_answer
from agents_app.providers.demo.replies import cut, reply_to
from agents_app.providers.demo.request import MODEL, DemoRequest, RequestError, read_request
from agents_app.providers.demo.stream import Answer
from agents_app.providers.demo.switches import Pace

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_KEYS = 10_000

_METHODS = {
    "/v1/chat/completions": "POST",
    "/v1/embeddings": "POST",
    "/v1/models": "GET",
    "/healthz": "GET",
}
_JSON = (b"content-type", b"application/json")


class DemoApp:
    """The ASGI application. `pace` applies where a request asks for no other."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._numbers = count(1)
        self._open_streams = 0
        self._failures: OrderedDict[str, int] = OrderedDict()  # by key of `demo:fail-times`

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; other kinds of connection are refused."""
        if scope["type"] != "http":
            raise RuntimeError(f"the demo model serves HTTP only, not {scope['type']}")
        try:
            await self._route(scope, receive, send)
        except RequestError as error:
            await _send_json(send, error.status, error.body)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].rstrip("/")
        method = _METHODS.get(path)
        if method is None:
            raise RequestError(404, f"There is nothing at {scope['path'][:200]}.", code="not_found")
        if scope["method"] != method:
            error = RequestError(405, f"Use {method} here.", code="method_not_allowed")
            await _send_json(send, 405, error.body, [(b"allow", method.encode())])
        elif path == "/healthz":
            await _send_json(send, 200, {"status": "ok", "open_streams": self._open_streams})
        elif path == "/v1/models":
            model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "one"}
            await _send_json(send, 200, {"object": "list", "data": [model]})
        elif path == "/v1/embeddings":
            body = _parsed(await _read_body(receive))
            # In a thread: many long texts take a while, and answers keep streaming meanwhile.
            await _send_json(send, 200, await asyncio.to_thread(embeddings_answer, body))
        else:
            await self._complete(receive, send)

    async def _complete(self, receive: Receive, send: Send) -> None:
        request = read_request(_parsed(await _read_body(receive)))
        if await self._fails(request, send):
            return
        self._open_streams += 1
        try:
            await _until_gone(receive, self._answer(request, send))
        finally:
            self._open_streams -= 1

    async def _fails(self, request: DemoRequest, send: Send) -> bool:
        """Send the failure this request asks for, if it asks for one."""
        wanted = request.switches
        status = wanted.error
        if wanted.fail_times is not None:
            failed = self._failures.get(wanted.key, 0)
            if failed < wanted.fail_times:
                self._failures[wanted.key] = failed + 1
                status = status or 500
            else:
                status = None
            if len(self._failures) > MAX_KEYS:
                self._failures.popitem(last=False)
        if status is None:
            return False
        code = wanted.error_code or f"demo_error_{status}"
        error = RequestError(status, f"Asked for with demo:error={status}.", code=code)
        headers = []
        if wanted.retry_after is not None:
            headers.append((b"retry-after", wanted.retry_after.encode("ascii")))
        await _send_json(send, status, error.body, headers)
        return True

    async def _answer(self, request: DemoRequest, send: Send) -> None:
        number = next(self._numbers)
        reply, reason = cut(reply_to(request), request.max_tokens, request.stop)
        answer = Answer(f"chatcmpl-demo-{number}", int(time.time()), request, reply, reason)
        pace = request.switches.pace(self._pace)
        if request.stream:
            await _start(send, 200, [(b"content-type", b"text/event-stream; charset=utf-8")])
            await stream.play(answer, pace, send)
            return
        if request.switches.stall:
            await asyncio.Event().wait()
        await asyncio.sleep(pace.due(0))
        await _send_json(send, 200, answer.whole())


def _parsed(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, "The body is not valid JSON.") from error


async def _read_body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(400, "The body was cut off.")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MAX_BODY_BYTES:
            raise RequestError(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
        if not message.get("more_body"):
            return b"".join(pieces)


async def _until_gone(receive: Receive, answering: Any) -> None:
    """Run `answering` until it is done or the client hangs up, whichever comes first."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    work, watch = asyncio.create_task(answering), asyncio.create_task(gone())
    try:
        await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()
        if not work.done():
            work.cancel()
        await asyncio.gather(watch, work, return_exceptions=True)
    if not work.cancelled():
        work.result()


async def _start(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _send_json(
    send: Send, status: int, body: object, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    data = orjson.dumps(body)
    length = (b"content-length", str(len(data)).encode())
    await _start(send, status, [_JSON, length, *(headers or [])])
    await send({"type": "http.response.body", "body": data})
