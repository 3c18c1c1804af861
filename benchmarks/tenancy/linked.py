"""What an organisation has of integrations: one of everything that has an address."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from benchmarks.tenancy.side import Side


def given_links(side: "Side") -> dict[str, UUID]:
    """The member's integration, account, message and keys; the house's servers and routes."""
    from django.utils import timezone

    from integrations_app import models

    house: dict[str, Any] = {"organisation": side.organisation}
    own = {**house, "user": side.people["member"]}
    marker, now = side.marker, timezone.now()
    integration = models.Integration.objects.create(
        **own,
        name=f"Post of {marker}",
        provider="smtp",
        channel_type="email",
        settings={"host": f"{marker}.example.com", "port": 587, "from_email": "one@example.com"},
        credentials={"username": marker, "password": f"canary-{marker}"},
        status="active",
    )
    notification = models.Notification.objects.create(
        **own,
        workflow=f"greeting-{marker}",
        transaction_id=marker,
        title=f"Hello {marker}",
        body=marker,
        shown_at=now,
    )
    server = models.McpServer.objects.create(
        **house, name=f"Files {marker}", slug=f"files-{marker}"[:24], url="https://mcp.example.com/"
    )
    rows = {
        "integration": integration,
        "connection": models.Connection.objects.create(
            **own, integration=integration, external_name=f"Desk {marker}", status="active"
        ),
        "endpoint": models.Endpoint.objects.create(
            **own, type="email", address=f"desk@{marker}.example.com", label=marker
        ),
        "notification": notification,
        "delivery": models.Delivery.objects.create(
            **own,
            integration=integration,
            notification=notification,
            channel_type="email",
            source="test",
            to=f"d…@{marker}.example.com",
            content={"subject": f"For {marker}", "text": marker},
        ),
        "key": models.ApiKey.objects.create(
            **own, name=f"Script {marker}", prefix="one_abc", key_hash=marker.ljust(64, "0")[:64]
        ),
        "hook": models.InboundHook.objects.create(
            **own, name=f"Orders {marker}", target="notification"
        ),
        "server": server,
        "api": models.HttpApi.objects.create(
            **house,
            name=f"Shop {marker}",
            slug=f"shop-{marker}"[:24],
            base_url="https://shop.example.com/",
        ),
        "remote": models.RemoteTool.objects.create(
            **house, server=server, name=f"list_{marker}", schema_hash="0" * 64
        ),
        "channel": models.Channel.objects.create(
            **house, key=f"alerts-{marker}", name=f"Alerts {marker}", channel_type="email"
        ),
        "topic": models.Topic.objects.create(**house, key=f"news-{marker}", name=f"News {marker}"),
        "workflow": models.NotificationWorkflow.objects.create(
            **house, key=f"greeting-{marker}", name=f"Greeting {marker}"
        ),
    }
    return {f"{name}_id": row.pk for name, row in rows.items()}
