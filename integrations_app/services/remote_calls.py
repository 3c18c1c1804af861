"""One use of a tool that somebody else runs: of an MCP server, or of an HTTP interface.

The row is read again at each use: what is not approved as it is described now is not called.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.db.models import F
from django.utils import timezone

from integrations_app.errors import (
    AddressRefused,
    AuthFailed,
    BadAddress,
    NotReached,
    NotUsable,
    OutcomeUnknown,
    RequestFailed,
)
from integrations_app.models import HttpApi, McpServer, RemoteTool, ServerAuth
from integrations_app.providers import http, mcp_client
from integrations_app.providers.openapi import READS
from integrations_app.providers.openapi_requests import prepare
from integrations_app.services.fixed_header import header_of
from integrations_app.services.mcp_reach import reach
from integrations_app.services.remote_tools import is_usable
from one_project.accounts.models import User
from one_project.common.database import in_thread
from one_project.common.sealing import SealBroken
from one_project.common.text import clean_line, clean_text

# Of one use, all of it.
DEADLINE: Final = 60.0
MAX_TOLD: Final = 64 * 1024
_READ_AT_MOST: Final = 256 * 1024
GONE: Final = "This tool is not approved as it is described now."


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came back, for the model: JSON or text. ``is_error``: the tool itself says so."""

    value: Any
    is_error: bool = False


async def call_remote(
    remote_id: UUID,
    arguments: Mapping[str, Any],
    *,
    organisation_id: UUID,
    user: User | None,
) -> Told:
    """Use the tool once, with ``user``'s own account where its server asks for one.

    Raises NotUsable, ConnectRequired, InvalidInput (an argument leaves its place), AuthFailed,
    RequestFailed and its kinds while nothing was done; OutcomeUnknown where it may have been.
    """
    row = await in_thread(usable, remote_id, organisation_id)
    if row is None:
        raise NotUsable(GONE)
    try:
        async with asyncio.timeout(DEADLINE):
            if row.server is not None:
                told = await _by_mcp(row, row.server, arguments, user)
            else:
                assert row.api is not None
                told = await _by_http(row, row.api, arguments)
    except TimeoutError:
        await in_thread(note_failure, row, "It took too long to answer.")
        raise OutcomeUnknown(detail="deadline") from None
    except AuthFailed as error:
        text = "It did not accept the key or the account it is used with."
        await in_thread(note_failure, row, text)
        raise AuthFailed(text, http_status=error.http_status) from error
    except (OutcomeUnknown, RequestFailed, AddressRefused, BadAddress) as error:
        await in_thread(note_failure, row, error.user_message)
        raise
    await in_thread(note_ok, row)
    return told


def usable(remote_id: UUID, organisation_id: UUID) -> RemoteTool | None:
    """The tool, if it may be used now, with all that a use needs."""
    rows = RemoteTool.objects.select_related(
        "organisation",
        "api",
        "server__organisation",
        "server__integration",
        "server__connection__integration",
    )
    row = rows.filter(pk=remote_id, organisation_id=organisation_id).first()
    return row if row is not None and is_usable(row) else None


async def _by_mcp(
    row: RemoteTool, server: McpServer, arguments: Mapping[str, Any], user: User | None
) -> Told:
    way = await reach(server, user)
    try:
        answer = await mcp_client.call_tool(way, row.name, arguments, deadline=DEADLINE - 2)
    except AuthFailed:
        if server.auth != ServerAuth.OAUTH:
            raise
        # Refused although it should have lasted; nothing was called.
        way = await reach(server, user, refused=_token_of(way))
        answer = await mcp_client.call_tool(way, row.name, arguments, deadline=DEADLINE - 2)
    return Told(value=answer.value, is_error=answer.is_error)


def _token_of(way: mcp_client.Reach) -> str:
    return way.headers.get("Authorization", "").removeprefix("Bearer ")


async def _by_http(row: RemoteTool, api: HttpApi, arguments: Mapping[str, Any]) -> Told:
    prepared = prepare(api.base_url, row.operation, arguments)
    try:
        credential = header_of(api)
    except SealBroken:
        raise NotUsable("Its key cannot be read: set it again.") from None
    try:
        found = await http.fetch(
            prepared.url,
            method=prepared.method,
            headers={"Accept": "application/json, text/*;q=0.9", **prepared.headers, **credential},
            json=prepared.json,
            timeout=DEADLINE - 2,
            max_bytes=_READ_AT_MOST,
            cut=True,
        )
    except RequestFailed as error:
        if prepared.method in READS or isinstance(error, NotReached):
            raise
        raise OutcomeUnknown(detail=error.code) from error
    if found.status in (401, 407):
        raise AuthFailed(http_status=found.status)
    return Told(value={"status": found.status, "body": _body(found)}, is_error=found.status >= 400)


def _body(found: http.Fetched) -> Any:
    kind = found.media_type
    if not found.body:
        return None
    if kind.endswith(("/json", "+json")) and len(found.body) <= MAX_TOLD:
        try:
            return orjson.loads(found.body)
        except ValueError:
            pass
    is_text = kind.startswith("text/") or kind.endswith(("json", "xml", "javascript", "urlencoded"))
    if not is_text:
        return f"[{len(found.body):,} bytes of {clean_line(kind, 60)}: not shown]"
    text = clean_text(found.text)
    return text if len(text) <= MAX_TOLD else f"{text[:MAX_TOLD]}\n[the rest was left out]"


def note_ok(row: RemoteTool) -> None:
    now = timezone.now()
    owners = _owners(row).exclude(failures=0, last_ok_at__gt=now - timedelta(minutes=1))
    owners.update(last_ok_at=now, last_error="", failures=0)


def note_failure(row: RemoteTool, text: str) -> None:
    """Count it and keep what to say of it, in words of ours."""
    _owners(row).update(failures=F("failures") + 1, last_error=clean_line(text, 300))


def _owners(row: RemoteTool) -> Any:
    if row.server is not None:
        return McpServer.objects.filter(pk=row.server.pk)
    return HttpApi.objects.filter(operations=row)
