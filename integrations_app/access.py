"""Who may use, change and see what. Missing and forbidden look the same.

The organisation's integrations are its admins'; a team's, its members' and the admins'; a person's
own, theirs alone (an admin may pause and remove it, not read or use it) unless granted to others.
"""

from typing import TypeVar
from uuid import UUID

from django.db.models import Q, QuerySet

from integrations_app.errors import ConnectionNotFound, IntegrationNotFound
from integrations_app.models import (
    ApiKey,
    Connection,
    Delivery,
    HttpApi,
    InboundHook,
    Integration,
    McpServer,
    Notification,
    RemoteTool,
)
from integrations_app.models.integrations import (
    GRANTED,
    ConnectionQuerySet,
    IntegrationQuerySet,
)
from one_project.accounts.access import find_membership, managed_ids
from one_project.accounts.models import Organisation, User
from one_project.common.errors import NotFound
from one_project.common.ids import parse_id

Row = TypeVar("Row", McpServer, HttpApi, RemoteTool)


def is_admin_of(user: User, organisation: Organisation) -> bool:
    """Whether the person administers the organisation's integrations."""
    membership = find_membership(user, organisation.pk)
    return membership is not None and membership.is_admin


def access_integration(
    user: User, organisation: Organisation, integration_id: UUID | str | None
) -> Integration:
    """One the person may use. Raises IntegrationNotFound."""
    wanted = parse_id(integration_id)
    usable = Integration.objects.usable_by(user, organisation)
    found = wanted and find_membership(user, organisation.pk) and usable.filter(pk=wanted).first()
    if not found:
        raise IntegrationNotFound
    return found


def editable_integrations(user: User, organisation: Organisation) -> IntegrationQuerySet:
    """Those the person may change."""
    rows = Integration.objects.filter(organisation=organisation)
    membership = find_membership(user, organisation.pk)
    if membership is None:
        return rows.none()
    own = Q(user=user) | Q(team__team_members__user=user)
    own |= Q(pk__in=managed_ids(user, organisation, GRANTED))
    if membership.is_admin:
        own |= Q(user=None)
    return rows.filter(own).distinct()


def access_integration_to_edit(
    user: User, organisation: Organisation, integration_id: UUID | str | None
) -> Integration:
    """One the person may change, of any status. Raises IntegrationNotFound."""
    wanted = parse_id(integration_id)
    found = wanted and editable_integrations(user, organisation).filter(pk=wanted).first()
    if not found:
        raise IntegrationNotFound
    return found


def access_integration_to_stop(
    user: User, organisation: Organisation, integration_id: UUID | str | None
) -> Integration:
    """One the person may pause or remove: what they may change, and for admins also what people
    have set up for themselves. Raises IntegrationNotFound."""
    if is_admin_of(user, organisation):
        wanted = parse_id(integration_id)
        rows = Integration.objects.filter(organisation=organisation)
        found = wanted and rows.filter(pk=wanted).first()
        if found:
            return found
    return access_integration_to_edit(user, organisation, integration_id)


def visible_connections(user: User, organisation: Organisation) -> ConnectionQuerySet:
    """Those the person may act through: their own, their teams', the shared ones."""
    return Connection.objects.usable_by(user, organisation).select_related("integration")


def access_connection_to_edit(
    user: User, organisation: Organisation, connection_id: UUID | str | None
) -> Connection:
    """One the person may revoke: their own, their team's; admins any. Raises ConnectionNotFound."""
    wanted = parse_id(connection_id)
    rows = Connection.objects.filter(organisation=organisation).select_related("integration")
    if not is_admin_of(user, organisation):
        rows = rows.filter(Q(user=user) | Q(team__team_members__user=user)).distinct()
    found = wanted and find_membership(user, organisation.pk) and rows.filter(pk=wanted).first()
    if not found:
        raise ConnectionNotFound
    return found


def visible_deliveries(user: User, organisation: Organisation) -> QuerySet[Delivery]:
    """What admins see of the organisation, and everybody else of what was for or by them."""
    rows = Delivery.objects.filter(organisation=organisation)
    membership = find_membership(user, organisation.pk)
    if membership is None:
        return rows.none()
    return rows if membership.is_admin else rows.filter(Q(user=user) | Q(by=user))


def access_delivery(
    user: User, organisation: Organisation, delivery_id: UUID | str | None
) -> Delivery:
    """Raises NotFound."""
    wanted = parse_id(delivery_id)
    found = wanted and visible_deliveries(user, organisation).filter(pk=wanted).first()
    if not found:
        raise NotFound
    return found


def visible_notifications(user: User, organisation: Organisation) -> QuerySet[Notification]:
    """Whose way the person may look at: admins all, others those for or by them."""
    rows = Notification.objects.filter(organisation=organisation)
    membership = find_membership(user, organisation.pk)
    if membership is None:
        return rows.none()
    return rows if membership.is_admin else rows.filter(Q(user=user) | Q(by=user))


def access_api_key(user: User, organisation: Organisation, key_id: UUID | str | None) -> ApiKey:
    """The person's own, admins any of the organisation. Raises NotFound."""
    wanted = parse_id(key_id)
    rows = ApiKey.objects.filter(organisation=organisation)
    if not is_admin_of(user, organisation):
        rows = rows.filter(user=user)
    found = wanted and find_membership(user, organisation.pk) and rows.filter(pk=wanted).first()
    if not found:
        raise NotFound
    return found


def access_server(
    user: User, organisation: Organisation, server_id: UUID | str | None
) -> McpServer:
    """An MCP server, for admins. Raises NotFound."""
    rows = McpServer.objects.select_related("organisation", "integration", "connection")
    return _for_admins(user, organisation, rows, server_id)


def access_api(user: User, organisation: Organisation, api_id: UUID | str | None) -> HttpApi:
    """An HTTP interface, for admins. Raises NotFound."""
    return _for_admins(user, organisation, HttpApi.objects.select_related("organisation"), api_id)


def access_remote_tool(
    user: User, organisation: Organisation, remote_id: UUID | str | None
) -> RemoteTool:
    """A tool of a server or an interface, for admins. Raises NotFound."""
    rows = RemoteTool.objects.select_related("organisation", "server", "api", "approved_by")
    return _for_admins(user, organisation, rows, remote_id)


def _for_admins(
    user: User, organisation: Organisation, rows: QuerySet[Row], row_id: UUID | str | None
) -> Row:
    wanted = parse_id(row_id)
    found = wanted and rows.filter(pk=wanted, organisation=organisation).first()
    if not found or not is_admin_of(user, organisation):
        raise NotFound
    return found


def access_hook(user: User, organisation: Organisation, hook_id: UUID | str | None) -> InboundHook:
    """The person's own, admins any of the organisation. Raises NotFound."""
    wanted = parse_id(hook_id)
    rows = InboundHook.objects.filter(organisation=organisation)
    rows = rows.select_related("organisation", "user")
    if not is_admin_of(user, organisation):
        rows = rows.filter(user=user)
    found = wanted and find_membership(user, organisation.pk) and rows.filter(pk=wanted).first()
    if not found:
        raise NotFound
    return found
