"""A web server on 127.0.0.1 that does what a test says. Not a test module."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class WebServer:
    """url: without a slash at the end. requests: what came, as (method, path, headers, body)."""

    url: str = ""
    address: str = ""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@asynccontextmanager
async def running_web_server(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[WebServer]:
    """Answer every request with ``handler``."""
    server = WebServer()

    async def noted(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        server.requests.append((request.method, request.path_qs, dict(request.headers), body))
        return await handler(request)

    runner = web.ServerRunner(web.Server(noted), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    server.address = f"127.0.0.1:{port}"
    server.url = f"http://{server.address}"
    try:
        yield server
    finally:
        await runner.cleanup()
