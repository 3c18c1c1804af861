"""An MCP server of our own on 127.0.0.1, for tests. Not a test module."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from starlette.requests import Request
from starlette.responses import JSONResponse


@dataclass
class McpHouse:
    """url: of the endpoint. key: the header it asks for, if any. calls: what its tools got."""

    url: str = ""
    address: str = ""
    key: str = ""
    server: Any = None
    calls: list[tuple[str, Any]] = field(default_factory=list)
    seen_headers: list[dict[str, str]] = field(default_factory=list)


def tools_of(house: McpHouse) -> MCPServer:
    server = MCPServer("house")

    @server.tool(annotations=ToolAnnotations(readOnlyHint=True), structured_output=False)
    def echo(text: str) -> str:
        """Say it back."""
        house.calls.append(("echo", text))
        return f"You said {text}"

    @server.tool()
    def add(a: int, b: int) -> dict[str, int]:
        """Add two numbers."""
        return {"sum": a + b}

    @server.tool(structured_output=False)
    def fail() -> str:
        """Never works."""
        raise ToolError("out of paper")

    @server.tool(structured_output=False)
    def large() -> str:
        """Says too much."""
        return "x" * 200_000

    @server.tool(structured_output=False)
    async def slow() -> str:
        """Takes its time."""
        house.calls.append(("slow", None))
        await asyncio.sleep(30)
        return "done"

    return server


@contextmanager
def running_mcp_house(key: str = "") -> Iterator[McpHouse]:
    house = McpHouse(key=key)
    house.server = tools_of(house)
    inner = house.server.streamable_http_app(stateless_http=True)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            house.seen_headers.append(dict(request.headers))
            if house.key and request.headers.get("authorization") != house.key:
                await JSONResponse({"error": house.key}, status_code=401)(scope, receive, send)
                return
        await inner(scope, receive, send)

    config = uvicorn.Config(guarded, host="127.0.0.1", port=0, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the MCP server did not start")
        threading.Event().wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    house.address = f"127.0.0.1:{port}"
    house.url = f"http://{house.address}/mcp"
    try:
        yield house
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(timeout=5)
