"""A web server on loopback that goes wrong as a test says. Not a test module."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.integrations.web_server import WebServer, running_web_server

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class FaultyServer:
    """Gives the answers in their order, and the last one for ever."""

    server: WebServer = field(default_factory=WebServer)
    answers: deque[Answer] = field(default_factory=deque)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def asked(self) -> int:
        """Requests so far."""
        return len(self.server.requests)

    def json(self, number: int = -1) -> Any:
        """The body of a request, from JSON."""
        return json.loads(self.server.requests[number][3])

    def form(self, number: int = -1) -> dict[str, str]:
        """The body of a request, from a form."""
        return dict(parse_qsl(self.server.requests[number][3].decode(), keep_blank_values=True))

    def path(self, number: int = -1) -> str:
        return self.server.requests[number][1]

    def headers(self, number: int = -1) -> dict[str, str]:
        return {key.lower(): value for key, value in self.server.requests[number][2].items()}

    def answers_with(
        self, body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Next: this; what is no text is sent as JSON."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if isinstance(body, str):
                return web.Response(text=body, status=status, headers=headers)
            return web.json_response(body, status=status, headers=headers)

        self.answers.append(answer)

    def rate_limits(self, seconds: int = 7, body: Any = None) -> None:
        """Next: 429 with Retry-After."""
        self.answers_with(body or {}, status=429, headers={"Retry-After": str(seconds)})

    def redirects(self, target: str, status: int = 302) -> None:
        """Next: elsewhere."""
        self.answers_with("", status=status, headers={"Location": target})

    def resets(self) -> None:
        """Next: the connection is cut once the request has been read."""

        async def answer(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        self.answers.append(answer)

    def drips(self) -> None:
        """Next: a byte now and then, for ever."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "100000"})
            await response.prepare(request)
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.05)

        self.answers.append(answer)


@asynccontextmanager
async def running_faulty_server() -> AsyncIterator[FaultyServer]:
    faulty = FaultyServer()

    async def handle(request: web.Request) -> web.StreamResponse:
        answer = faulty.answers.popleft() if len(faulty.answers) > 1 else faulty.answers[0]
        return await answer(request)

    async with running_web_server(handle) as server:
        faulty.server = server
        yield faulty
