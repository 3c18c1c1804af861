"""How a person gets to an MCP server: its address, the key or the account it is used with."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from integrations_app.errors import NotUsable
from integrations_app.models import Integration, McpServer, ServerAuth, Transport
from integrations_app.providers import places
from integrations_app.providers.mcp_client import Program, Reach
from integrations_app.services.connections import connection_for, token_of
from integrations_app.services.fixed_header import header_of
from one_project.accounts.models import Organisation, User
from one_project.common.database import in_thread
from one_project.common.sealing import SealBroken


async def reach(server: McpServer, user: User | None, *, refused: str = "") -> Reach:
    """How ``user`` gets to it, for one visit. ``server`` with its integration and connection.

    refused: a token that the server has just not taken. Raises ConnectRequired, NotUsable, and what
    refreshing a token raises.
    """
    if server.transport == Transport.STDIO:
        return Reach(program=_program(server))
    if server.auth == ServerAuth.STATIC:
        return Reach(url=server.url, headers=_opened_header(server))
    if server.auth == ServerAuth.OAUTH:
        connection = server.connection
        if server.integration is None or not is_at_home(server.url, server.integration):
            raise NotUsable("The account this server is used with is not set up any more.")
        if connection is None:
            if user is None:
                raise NotUsable("This server is used with a person's own account.")
            connection = await in_thread(connection_for, server.integration, user)
        token = await token_of(connection, refused=refused)
        return Reach(url=server.url, headers={"Authorization": f"Bearer {token['access_token']}"})
    return Reach(url=server.url)


def _opened_header(server: McpServer) -> dict[str, str]:
    try:
        return header_of(server)
    except SealBroken:
        raise NotUsable("Its key cannot be read: set it again.") from None


def _program(server: McpServer) -> Program:
    given = programs_of(server.organisation).get(server.command)
    if given is None:
        raise NotUsable("The operator has not configured this program.")
    return Program(
        command=str(given["command"]),
        args=tuple(str(one) for one in given.get("args", ())),
        env={str(name): str(one) for name, one in dict(given.get("env") or {}).items()},
    )


def programs_of(organisation: Organisation) -> dict[str, Mapping[str, Any]]:
    """Programs of the operator's that this organisation may use: all, unless ``organisations``
    lists slugs."""
    return {
        name: one
        for name, one in settings.ONE_MCP_STDIO.items()
        if organisation.slug in one.get("organisations", [organisation.slug])
    }


def is_at_home(url: str, integration: Integration) -> bool:
    """Whether an address belongs to the provider whose tokens would be sent there: who sets a
    server up must not collect other people's tokens somewhere else, or in the open."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    family = integration.provider.split("_")[0]
    for name in places.DEFAULTS:
        home = urlsplit(places.base_url(name))
        if name.split("_")[0] != family or parts.scheme not in ("https", home.scheme):
            continue
        # A place of the operator's stands for itself alone.
        is_near = not places.replaced(name) and _site(host) == _site(home.hostname or "")
        if host == home.hostname or is_near:
            return True
    return False


def _site(host: str) -> str:
    """The last two labels."""
    return ".".join(host.split(".")[-2:])
