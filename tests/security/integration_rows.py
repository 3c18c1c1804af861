"""What everybody gets at the addresses of integrations (see ``test_every_url``).

Each row: method, statuses for anonymous, outsider, member, staff, admin and owner, form. The
integration, connection, endpoint, delivery, notification, key and hook are the member's own; the
server, the interface, the channel, the topic and the workflow are the organisation's.
"""

from typing import Any
from uuid import UUID

from django.utils import timezone

from integrations_app.models import (
    ApiKey,
    Channel,
    Connection,
    Delivery,
    Endpoint,
    HttpApi,
    InboundHook,
    Integration,
    McpServer,
    Notification,
    NotificationWorkflow,
    RemoteTool,
    Topic,
)
from tests.people import World

LOGIN = 302
OF_ADMINS = (LOGIN, 404, 404, 404, 303, 303)
OF_OWN = (LOGIN, 404, 303, 404, 404, 404)
OWN = (LOGIN, 404, 200, 404, 404, 404)
MEMBERS = (LOGIN, 200, 200, 200, 200, 200)
Rows = dict[str, tuple[str, tuple[int, ...], dict[str, str]]]

CONNECTIONS: Rows = {
    "connections:list": ("get", MEMBERS, {}),
    "connections:list_live": ("get", MEMBERS, {}),
    "connections:providers": ("get", MEMBERS, {}),
    "connections:new": ("get", MEMBERS, {}),
    # The integration is the member's own: admins may stop it, not look into it.
    "connections:integration": ("get", OWN, {}),
    "connections:test": ("post", OF_OWN, {}),
    "connections:trial": ("get", OWN, {}),
    "connections:pause": ("post", (LOGIN, 404, 303, 404, 303, 303), {}),
    # It has not been tested.
    "connections:activate": ("post", OF_OWN, {}),
    "connections:make_default": ("post", OF_OWN, {}),
    "connections:drop_default": ("post", OF_OWN, {}),
    "connections:remove": ("post", (LOGIN, 404, 303, 404, 303, 303), {}),
    "connections:share": ("post", OF_OWN, {"share_mode": "private"}),
    "connections:place": ("post", (LOGIN, 404, 422, 404, 404, 404), {}),
    # The address is the member's, not one of the integration.
    "connections:remove_place": ("post", (LOGIN, 404, 404, 404, 404, 404), {}),
    "connections:channels": ("get", MEMBERS, {}),
    "connections:channel": ("get", (LOGIN, 404, 200, 200, 200, 200), {}),
    "connections:remove_channel": ("post", OF_ADMINS, {}),
    "connections:add_route": ("post", (LOGIN, 404, 404, 404, 422, 422), {}),
    "connections:change_route": ("post", OF_ADMINS, {}),
    "connections:addresses": ("get", MEMBERS, {}),
    "connections:verify_address": ("post", (LOGIN, 404, 422, 404, 404, 404), {"code": "1"}),
    # Nothing is set up that could send one: the member's own integration must not.
    "connections:send_code": ("post", (LOGIN, 404, 409, 404, 404, 404), {}),
    "connections:remove_address": ("post", OF_OWN, {}),
    "connections:connect": ("get", (LOGIN, 404, 422, 404, 404, 404), {}),
    "connections:callback": ("get", (LOGIN, 422, 422, 422, 422, 422), {}),
    "connections:disconnect": ("post", (LOGIN, 404, 303, 404, 303, 303), {}),
}

# The delivery and the notification are for the member: others of the house see them as admins.
_OF_MEMBER = (LOGIN, 404, 200, 404, 200, 200)
ACTIVITY: Rows = {
    "connections:activity": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "connections:activity_live": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "connections:delivery": ("get", _OF_MEMBER, {}),
    "connections:delivery_live": ("get", _OF_MEMBER, {}),
    "connections:delivery_cancel": ("post", (LOGIN, 404, 303, 404, 303, 303), {}),
    # It waits, so nobody sends it again.
    "connections:delivery_again": ("post", (LOGIN, 404, 409, 404, 409, 409), {}),
    "connections:notification": ("get", _OF_MEMBER, {}),
    # Without a session: the mail server of the row tells nothing, so there is no such address.
    "hooks:provider": ("post", (404,) * 6, {}),
}

NOTIFICATIONS: Rows = {
    "notifications:inbox": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "notifications:bell": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "notifications:read_all": ("post", (LOGIN, 303, 303, 303, 303, 303), {}),
    # The notification is the member's own.
    "notifications:open": ("get", (LOGIN, 404, 302, 404, 404, 404), {}),
    "notifications:read": ("post", (LOGIN, 404, 303, 404, 404, 404), {}),
    "notifications:archive": ("post", (LOGIN, 404, 303, 404, 404, 404), {}),
    "notifications:snooze": ("post", (LOGIN, 404, 303, 404, 404, 404), {"until": "hour"}),
    "notifications:preferences": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "notifications:reset_preferences": ("post", (LOGIN, 303, 303, 303, 303, 303), {}),
    # Nobody is in this topic; nobody has this link.
    "notifications:mute_topic": ("post", (LOGIN, 404, 404, 404, 404, 404), {}),
    "notifications:unsubscribe": ("get", (404,) * 6, {}),
    "connections:workflows": ("get", (LOGIN, 200, 403, 403, 200, 200), {}),
    "connections:new_workflow": ("get", (LOGIN, 200, 403, 403, 200, 200), {}),
    "connections:check_workflow": ("post", (LOGIN, 200, 403, 403, 200, 200), {}),
    "connections:workflow": ("get", (LOGIN, 404, 403, 403, 200, 200), {}),
    "connections:delete_workflow": ("post", (LOGIN, 404, 403, 403, 303, 303), {}),
    # It has no steps: that is said on its page.
    "connections:try_workflow": ("post", (LOGIN, 404, 403, 403, 303, 303), {}),
}

# Of the organisation's admins; for all others it does not exist.
ADMINS = (LOGIN, 404, 404, 404, 200, 200)
BY_ADMINS = (LOGIN, 404, 404, 404, 303, 303)
# The member's own; admins may look at it and end it.
KEPT_BY_MEMBER = (LOGIN, 404, 200, 404, 200, 200)
BY_MEMBER = (LOGIN, 404, 303, 404, 303, 303)

PROGRAMS: Rows = {
    "connections:keys": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "connections:revoke_key": ("post", BY_MEMBER, {}),
    "connections:hooks_in": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "connections:hook": ("get", KEPT_BY_MEMBER, {}),
    "connections:switch_hook": ("post", BY_MEMBER, {"active": "1"}),
    # Who has the secret acts with the rights of the hook's person: not even for admins.
    "connections:rotate_hook": ("post", (LOGIN, 404, 200, 404, 404, 404), {}),
    "connections:remove_hook": ("post", BY_MEMBER, {}),
    # A session is no signature and no key.
    "hooks:inbound": ("post", (403,) * 6, {}),
    "api:notify": ("post", (401,) * 6, {}),
    "api:notification": ("get", (401,) * 6, {}),
}

TOOLS: Rows = {
    "connections:tools": ("get", (LOGIN, 200, 200, 200, 200, 200), {}),
    "connections:new_server": ("get", (LOGIN, 200, 403, 403, 200, 200), {}),
    "connections:server": ("get", ADMINS, {}),
    "connections:server_live": ("get", ADMINS, {}),
    "connections:look_at_server": ("post", BY_ADMINS, {}),
    # Nothing is ticked.
    "connections:allow_of_server": ("post", (LOGIN, 404, 404, 404, 422, 422), {}),
    "connections:switch_server": ("post", BY_ADMINS, {}),
    "connections:remove_server": ("post", BY_ADMINS, {}),
    "connections:new_api": ("get", (LOGIN, 200, 403, 403, 200, 200), {}),
    "connections:api": ("get", ADMINS, {}),
    "connections:describe_api": ("post", (LOGIN, 404, 404, 404, 422, 422), {"spec": "{}"}),
    "connections:add_operation": ("post", (LOGIN, 404, 404, 404, 422, 422), {}),
    "connections:allow_of_api": ("post", (LOGIN, 404, 404, 404, 422, 422), {}),
    "connections:switch_api": ("post", BY_ADMINS, {}),
    "connections:remove_api": ("post", BY_ADMINS, {}),
    "connections:withdraw_tool": ("post", BY_ADMINS, {}),
}

INTEGRATION_ROWS: Rows = {
    **CONNECTIONS,
    **ACTIVITY,
    **NOTIFICATIONS,
    **PROGRAMS,
    **TOOLS,
}

# Placeholders ``<uuid:NAME_id>``.
MADE = (
    "integration",
    "connection",
    "endpoint",
    "delivery",
    "notification",
    "key",
    "hook",
    "server",
    "api",
    "remote",
    "channel",
    "topic",
    "workflow",
)


def made_of_integrations(world: World) -> dict[str, UUID]:
    """One of each, by placeholder."""
    house: dict[str, Any] = {"organisation": world.organisation}
    bobs = {**house, "user": world.bob}
    integration = Integration.objects.create(
        **bobs,
        name="Post of the member",
        provider="smtp",
        channel_type="email",
        settings={"host": "mail.example.com", "port": 587, "from_email": "one@example.com"},
        credentials={"username": "one", "password": "canary-rows-password"},
        status="active",
    )
    connection = Connection.objects.create(
        **bobs, integration=integration, external_name="Workspace", status="active"
    )
    endpoint = Endpoint.objects.create(**bobs, type="email", address="bob@example.com")
    notification = Notification.objects.create(
        **bobs, workflow="greeting", transaction_id="1", title="Hello", shown_at=timezone.now()
    )
    delivery = Delivery.objects.create(
        **bobs,
        integration=integration,
        endpoint=endpoint,
        notification=notification,
        channel_type="email",
        source="test",
        to="b…@example.com",
    )
    key = ApiKey.objects.create(**bobs, name="Script", prefix="one_abc", key_hash="0" * 64)
    hook = InboundHook.objects.create(**bobs, name="Orders", target="notification")
    server = McpServer.objects.create(
        **house, name="Files", slug="files", url="https://mcp.example.com/"
    )
    api = HttpApi.objects.create(
        **house, name="Shop", slug="shop", base_url="https://shop.example.com/"
    )
    remote = RemoteTool.objects.create(**house, server=server, name="list", schema_hash="0" * 64)
    channel = Channel.objects.create(**house, key="alerts", name="Alerts", channel_type="email")
    topic = Topic.objects.create(**house, key="news", name="News")
    workflow = NotificationWorkflow.objects.create(**house, key="greeting", name="Greeting")
    rows = (
        integration,
        connection,
        endpoint,
        delivery,
        notification,
        key,
        hook,
        server,
        api,
        remote,
        channel,
        topic,
        workflow,
    )
    return {name: row.pk for name, row in zip(MADE, rows, strict=True)}
