"""One visit to an MCP server: its tools listed, or one of them called.

A session is made for each visit and not kept: nothing is shared between people, and a server that
goes away is noticed at once. Nothing a server asks back (elicitation, sampling, roots) is offered.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx2
import orjson

from integrations_app.errors import (
    AuthFailed,
    OutcomeUnknown,
    Permanent,
    RequestTimedOut,
    SendError,
    Transient,
)
from integrations_app.providers.guarded import guarded_client
from one_project.common.errors import AppError
from one_project.common.text import clean_text

if TYPE_CHECKING:
    # Imported late elsewhere: it takes a second, and most processes visit no server.
    from mcp import Client
    from mcp.types import BlobResourceContents, CallToolResult, TextResourceContents, Tool

MAX_TOOLS: Final = 200
MAX_PAGES: Final = 20
MAX_ANSWER_BYTES: Final = 2_000_000
MAX_TEXT: Final = 64 * 1024
# Codes of JSON-RPC that say the call was not made at all.
_NOT_MADE: Final = (-32700, -32600, -32601, -32602)

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program of the operator's that is an MCP server over stdio."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How to get to a server: ``url`` with ``headers``, or a program. Never logged or stored."""

    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    program: Program | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A tool as its server describes it. ``hints``: what it says of its effect, not believed."""

    name: str
    title: str
    description: str
    schema: Any
    hints: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a tool said. ``value``: JSON or text for the model, 64 KB at most."""

    value: Any
    is_error: bool = False


async def list_tools(reach: Reach, *, deadline: float) -> list[Described]:
    """All tools of a server, 200 at most, within ``deadline`` seconds.

    Raises AuthFailed, Transient, RequestTimedOut, AddressRefused and other AppErrors.
    """

    async def listing(client: "Client") -> list[Described]:
        found: list[Described] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            found += [_described(one) for one in page.tools]
            cursor = page.next_cursor
            if cursor is None or len(found) >= MAX_TOOLS:
                break
        return found[:MAX_TOOLS]

    visit = _Visit(reach, deadline)
    return await visit.make(listing)


async def call_tool(
    reach: Reach, name: str, arguments: Mapping[str, Any], *, deadline: float
) -> Answer:
    """Have a tool do its work, once, within ``deadline`` seconds.

    Raises as ``list_tools`` does while nothing was called yet, Permanent where the server refuses
    the call, and OutcomeUnknown where it may have been made.
    """
    visit = _Visit(reach, deadline)

    async def calling(client: "Client") -> "CallToolResult":
        visit.is_calling = True
        return await client.call_tool(name, dict(arguments))

    return _answer(await visit.make(calling))


class _Visit:
    """One session. ``is_calling``: whether a tool may have begun; ``status``: the last answer's."""

    def __init__(self, reach: Reach, deadline: float) -> None:
        self._reach = reach
        self._deadline = deadline
        self.is_calling = False
        self._status = 0

    async def make(self, use: "Callable[[Client], Awaitable[Made]]") -> Made:
        try:
            async with asyncio.timeout(self._deadline), self._client() as client:
                return await use(client)
        except Exception as error:  # the SDK raises groups of whatever went wrong
            raise self._told(error) from None

    @asynccontextmanager
    async def _client(self) -> "AsyncIterator[Client]":
        from mcp import Client, StdioServerParameters, stdio_client
        from mcp.client.streamable_http import streamable_http_client
        from mcp.types import Implementation

        told: Any = {"cache": None, "client_info": Implementation(name="ONE", version="1")}
        program = self._reach.program
        if program is not None:
            parameters = StdioServerParameters(
                command=program.command, args=list(program.args), env=dict(program.env)
            )
            with open(os.devnull, "w") as nowhere:  # noqa: ASYNC230  what it says on stderr
                async with Client(stdio_client(parameters, errlog=nowhere), **told) as client:
                    yield client
            return
        async with guarded_client(
            timeout=self._deadline, headers=self._reach.headers, max_bytes=MAX_ANSWER_BYTES
        ) as http:
            # What the SDK does not tell: a 401 is about the credentials.
            hooks = [*http.event_hooks["response"], self._look_at]
            http.event_hooks = {**http.event_hooks, "response": hooks}
            transport = streamable_http_client(
                self._reach.url, http_client=http, max_sse_event_size=MAX_ANSWER_BYTES
            )
            async with Client(transport, **told) as client:
                yield client

    async def _look_at(self, response: httpx2.Response) -> None:
        # A stream that is opened beside the calls says nothing of them.
        if response.request.method == "POST":
            self._status = response.status_code

    def _told(self, error: Exception) -> AppError:
        """What went wrong, in our words: what the server wrote may hold a secret."""
        from mcp import MCPError

        first = _first(error)
        if self._status in (401, 403):
            return AuthFailed(http_status=self._status)
        if isinstance(first, AppError):
            return first if not self.is_calling else _unknown(first)
        if isinstance(first, TimeoutError):
            return _unknown(first) if self.is_calling else RequestTimedOut(detail="MCP")
        if isinstance(first, MCPError) and first.error.code in _NOT_MADE:
            return Permanent(
                "The server refused the call.", code="refused", detail=f"code {first.error.code}"
            )
        if self.is_calling:
            return _unknown(first)
        return Transient(
            "The MCP server could not be reached, or does not speak MCP.",
            http_status=self._status or None,
            detail=type(first).__name__,
        )


def _unknown(error: BaseException) -> SendError:
    return OutcomeUnknown(detail=type(error).__name__)


def _first(error: BaseException) -> BaseException:
    """The first cause in a group; an error of ours wherever it stands in the chain."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    within: BaseException | None = error
    while within is not None:
        if isinstance(within, AppError):
            return within
        within = within.__cause__ or within.__context__
    return error


def _described(tool: "Tool") -> Described:
    hints = (
        tool.annotations.model_dump(exclude_none=True, by_alias=True) if tool.annotations else {}
    )
    return Described(
        name=tool.name,
        title=tool.title or hints.pop("title", "") or "",
        description=tool.description or "",
        schema=tool.input_schema,
        hints=hints,
    )


def _answer(result: "CallToolResult") -> Answer:
    if result.structured_content is not None and not result.is_error:
        raw = orjson.dumps(result.structured_content, default=str)
        if len(raw) <= MAX_TEXT:
            return Answer(value=orjson.loads(raw))
    return Answer(value=_text(result), is_error=result.is_error)


def _text(result: "CallToolResult") -> str:
    from mcp.types import AudioContent, ImageContent, ResourceLink, TextContent

    parts: list[str] = []
    for block in result.content:
        if isinstance(block, TextContent):
            parts.append(block.text)
        elif isinstance(block, ImageContent | AudioContent):
            size = len(block.data) * 3 // 4
            parts.append(f"[{block.type}, {block.mime_type}, {size:,} bytes: not shown]")
        elif isinstance(block, ResourceLink):
            parts.append(f"[{block.name}: {block.uri}]")
        else:
            parts.append(_resource(block.resource))
    text = clean_text("\n".join(parts))
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}\n[{len(text) - MAX_TEXT:,} more characters were left out]"


def _resource(held: "TextResourceContents | BlobResourceContents") -> str:
    from mcp.types import TextResourceContents

    if isinstance(held, TextResourceContents):
        return held.text
    return f"[a file, {len(held.blob) * 3 // 4:,} bytes: not shown]"
