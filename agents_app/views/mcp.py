"""Our MCP server at ``/mcp/``: an organisation's tools and documents for programs with a key.

Streamable HTTP without sessions: each request brings its key and is answered by itself, so that a
key that was revoked opens nothing from its next request on, and any process may answer.
"""

import json
import logging
import math
from typing import Any, Final

from django.conf import settings
from django.http.request import validate_host
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from agents_app.models import CallStatus, Effect
from agents_app.tools.catalogue import Offered
from agents_app.views.mcp_tools import offered_to, use_for
from integrations_app.services.api_keys import Caller, access_by_key, bearer_of
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.common.origin import same_site

PATH: Final = "/mcp"
MAX_BODY: Final = 1_000_000
_STRUCTURED: Final = 64 * 1024
# Where a request carries who it comes from, for the handlers below.
_CALLER: Final = "one.caller"

logger = logging.getLogger(__name__)


async def mcp_endpoint(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """One request of an MCP client, as an ASGI application."""
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in scope.get("headers", [])
    }
    if not _is_ours(headers):
        await _answer(send, 403, "origin_refused", "This page may not connect here.")
        return
    if scope["method"] != "POST":
        allow = [(b"allow", b"POST")]
        await _answer(send, 405, "method_not_allowed", "Use POST.", allow)
        return
    try:
        raw = bearer_of(headers.get("authorization", ""))
        caller = await in_thread(access_by_key, raw, "mcp")
    except AppError as error:
        more = [(b"www-authenticate", b"Bearer")] if error.status == 401 else []
        if error.retry_after is not None:
            more.append((b"retry-after", str(math.ceil(error.retry_after)).encode()))
        await _answer(send, error.status, error.code, error.user_message, more)
        return
    except Exception:
        logger.exception("an MCP request could not be let in")
        await _answer(send, 503, "unavailable", "Please try again.")
        return
    # Its own for each request: nothing is shared, and nothing has to be started beforehand.
    manager = StreamableHTTPSessionManager(
        _server, json_response=True, stateless=True, max_request_body_size=MAX_BODY
    )
    async with manager.run():
        await manager.handle_request({**scope, _CALLER: caller}, receive, send)


def _is_ours(headers: dict[str, str]) -> bool:
    """Programs send no Origin; a browser's has to be ours, and so has the host it asked for."""
    host, origin = headers.get("host", ""), headers.get("origin", "")
    if origin and not same_site(origin, host):
        return False
    allowed = settings.ALLOWED_HOSTS
    if settings.DEBUG and not allowed:
        allowed = [".localhost", "127.0.0.1", "[::1]"]
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return validate_host(name.lower(), allowed)


async def _answer(
    send: Any, status: int, code: str, message: str, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    headers += [(b"content-length", str(len(body)).encode()), *(more or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _caller(context: ServerRequestContext[Any, Any]) -> Caller:
    assert context.request is not None
    caller: Caller = context.request.scope[_CALLER]
    return caller


async def _list_tools(
    context: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
) -> ListToolsResult:
    offered = await in_thread(offered_to, _caller(context))
    return ListToolsResult(tools=[_as_tool(name, one) for name, one in sorted(offered.items())])


def _as_tool(name: str, offered: Offered) -> Tool:
    definition = offered.definition
    return Tool(
        name=name,
        title=definition.title or None,
        description=definition.description,
        input_schema=definition.parameters,
        annotations=ToolAnnotations(
            read_only_hint=definition.effect == Effect.READ,
            destructive_hint=definition.effect == Effect.DESTRUCTIVE,
            open_world_hint=definition.effect == Effect.EXTERNAL,
        ),
    )


async def _call_tool(
    context: ServerRequestContext[Any, Any], params: CallToolRequestParams
) -> CallToolResult:
    outcome = await use_for(_caller(context), params.name, dict(params.arguments or {}))
    structured = outcome.output if isinstance(outcome.output, dict) else None
    if structured is not None and len(outcome.told) > _STRUCTURED:
        structured = None
    return CallToolResult(
        content=[TextContent(type="text", text=outcome.told)],
        structured_content=structured,
        is_error=outcome.status != CallStatus.SUCCEEDED,
    )


_server: Server[Any] = Server(
    "ONE",
    version="1",
    instructions="Tools and documents of an organisation in ONE, with the rights of the key.",
    on_list_tools=_list_tools,
    on_call_tool=_call_tool,
)
