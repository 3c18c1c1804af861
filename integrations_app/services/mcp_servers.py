"""MCP servers of an organisation: set up by its administrators, looked at by a worker."""

from dataclasses import dataclass
from typing import Final

from django.db import transaction

from integrations_app.errors import InvalidSettings
from integrations_app.models import Connection, Integration, McpServer, ServerAuth, Transport
from integrations_app.providers.destinations import check_address
from integrations_app.services.fixed_header import check_moved, drop_header, set_header
from integrations_app.services.mcp_looks import look_at
from integrations_app.services.mcp_reach import is_at_home, programs_of
from integrations_app.services.outside import record, save_with_slug, set_names
from integrations_app.services.remote_tools import withdraw_all
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, Role, User
from one_project.common.errors import Conflict

MAX_SERVERS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerValues:
    """What an administrator decides. ``integration``: whose connections are used with ``oauth``,
    each person's own, or ``connection`` for everybody."""

    name: str
    slug: str
    transport: str = Transport.HTTP
    url: str = ""
    command: str = ""
    auth: str = ServerAuth.NONE
    header_name: str = ""
    header_value: str = ""
    integration: Integration | None = None
    connection: Connection | None = None


def create_server(organisation: Organisation, *, by: User, values: ServerValues) -> McpServer:
    """A new server, looked at at once. Raises InvalidSettings, BadAddress, AddressRefused (looks
    the name up, so not inside of a transaction), AccessDenied, Conflict."""
    access_membership(by, organisation, Role.ADMIN)
    server = McpServer(organisation=organisation, created_by=by)
    _set(server, values)
    with transaction.atomic():
        Organisation.objects.select_for_update().get(pk=organisation.pk)
        if McpServer.objects.filter(organisation=organisation).count() >= MAX_SERVERS:
            raise Conflict(f"An organisation has at most {MAX_SERVERS} MCP servers.")
        save_with_slug(server)
        record(server, "mcp_server_created", by)
        look_at(server, by=by)
    return server


def change_server(server: McpServer, *, by: User, values: ServerValues) -> McpServer:
    """Change all of it; at another site, or with another program, nothing is approved any more.

    Raises as ``create_server``.
    """
    access_membership(by, server.organisation, Role.ADMIN)
    before = (server.transport, server.command)
    has_moved = check_moved(server.url, values.url, server, values.header_value)
    _set(server, values)
    with transaction.atomic():
        if has_moved or before != (server.transport, server.command):
            withdraw_all(server)
        server.failures, server.last_error = 0, ""
        save_with_slug(server)
        record(server, "mcp_server_changed", by)
        look_at(server, by=by, again=True)
    return server


# --- Saving -------------------------------------------------------------------------------------


def _set(server: McpServer, values: ServerValues) -> None:
    set_names(server, values.name, values.slug)
    problems: dict[str, str] = {}
    if values.transport not in Transport.values:
        problems["transport"] = "Please choose how it is reached."
    if values.auth not in ServerAuth.values:
        problems["auth"] = "Please choose how it knows us."
    if problems:
        raise InvalidSettings(problems)
    server.transport, server.auth = values.transport, values.auth
    if server.transport == Transport.STDIO:
        if values.command not in programs_of(server.organisation):
            raise InvalidSettings({"command": "The operator has not configured this program."})
        server.command, server.url, server.auth = values.command, "", ServerAuth.NONE
    else:
        server.command, server.url = "", values.url.strip()
        check_address(server.url)
    _set_auth(server, values)


def _set_auth(server: McpServer, values: ServerValues) -> None:
    server.integration = server.connection = None
    if server.auth == ServerAuth.STATIC:
        set_header(server, values.header_name, values.header_value)
        if not server.credentials.get("value"):
            raise InvalidSettings({"header_value": "Please enter the key."})
        return
    drop_header(server)
    if server.auth != ServerAuth.OAUTH:
        return
    integration, connection = values.integration, values.connection
    if integration is None or integration.organisation_id != server.organisation_id:
        raise InvalidSettings({"integration": "Please choose whose accounts are used."})
    if not is_at_home(server.url, integration):
        raise InvalidSettings({"url": "This address does not belong to the chosen provider."})
    if connection is not None and (
        connection.integration_id != integration.pk
        or connection.user_id is not None
        or connection.team_id is not None
    ):
        raise InvalidSettings({"connection": "Please choose an account that everybody shares."})
    server.integration, server.connection = integration, connection
