"""Rows of every model of integrations in the admin."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.db.models import Model
from django.utils import timezone

from integrations_app.models import (
    ApiKey,
    Channel,
    ChannelRoute,
    Connection,
    Delivery,
    DeliveryAttempt,
    Endpoint,
    HttpApi,
    InboundEvent,
    InboundHook,
    Integration,
    McpServer,
    Notification,
    NotificationWorkflow,
    Preference,
    RemoteTool,
    Topic,
    TopicSubscription,
)
from one_project.accounts.models import Organisation
from tests.admin.making import name, user


def integration(org: Organisation) -> Integration:
    return Integration.objects.create(
        organisation=org,
        name=name("Post"),
        provider="smtp",
        channel_type="email",
        settings={"host": "mail.example.com", "from_email": "one@example.com"},
        credentials={"password": "canary-admin-password"},
        hint="••••word",
        credentials_changed_at=timezone.now(),
    )


def connection(org: Organisation) -> Connection:
    return Connection.objects.create(
        organisation=org,
        integration=integration(org),
        user=user(org),
        token={"access_token": "canary-admin-token"},
        external_name=name("Workspace"),
        status="active",
    )


def endpoint(org: Organisation) -> Endpoint:
    return Endpoint.objects.create(
        organisation=org, user=user(org), type="email", address=f"{name('one')}@example.test"
    )


def channel(org: Organisation) -> Channel:
    made = Channel.objects.create(
        organisation=org, key=name("alerts"), name=name("Alerts"), channel_type="email"
    )
    ChannelRoute.objects.create(organisation=org, channel=made, integration=integration(org))
    return made


def topic(org: Organisation) -> Topic:
    made = Topic.objects.create(organisation=org, key=name("news"), name=name("News"))
    TopicSubscription.objects.create(organisation=org, topic=made, user=user(org))
    return made


def preference(org: Organisation) -> Preference:
    return Preference.objects.create(organisation=org, user=user(org), is_on=False)


def delivery(org: Organisation) -> Delivery:
    made = Delivery.objects.create(
        organisation=org,
        integration=integration(org),
        channel_type="email",
        source="test",
        to="b…@example.test",
        content={"text": "What nobody else should read"},
    )
    DeliveryAttempt.objects.create(
        organisation=org, delivery=made, integration=made.integration, number=1
    )
    return made


def inbound(org: Organisation) -> InboundEvent:
    return InboundEvent.objects.create(
        organisation=org, integration=integration(org), kind="bounce", external_id=name("event")
    )


def workflow(org: Organisation) -> NotificationWorkflow:
    return NotificationWorkflow.objects.create(
        organisation=org, key=name("greeting"), name=name("Greeting")
    )


def notification(org: Organisation) -> Notification:
    return Notification.objects.create(
        organisation=org,
        user=user(org),
        workflow="greeting",
        transaction_id=name("once"),
        title="What nobody else should read",
    )


def key(org: Organisation) -> ApiKey:
    return ApiKey.objects.create(
        organisation=org, user=user(org), name=name("Script"), prefix="one_x", key_hash=uuid4().hex
    )


def hook(org: Organisation) -> InboundHook:
    return InboundHook.objects.create(
        organisation=org, user=user(org), name=name("Orders"), target="notification"
    )


def server(org: Organisation) -> McpServer:
    return McpServer.objects.create(
        organisation=org, name=name("Files"), slug=name("f"), url="https://mcp.example.com/"
    )


def api(org: Organisation) -> HttpApi:
    return HttpApi.objects.create(
        organisation=org, name=name("Shop"), slug=name("s"), base_url="https://shop.example.com/"
    )


def remote(org: Organisation) -> RemoteTool:
    return RemoteTool.objects.create(
        organisation=org, server=server(org), name=name("list"), schema_hash="0"
    )


INTEGRATION_MAKERS: dict[type[Model], Callable[[Organisation], Any]] = {
    Integration: integration,
    Connection: connection,
    Endpoint: endpoint,
    Channel: channel,
    Topic: topic,
    Preference: preference,
    Delivery: delivery,
    InboundEvent: inbound,
    NotificationWorkflow: workflow,
    Notification: notification,
    ApiKey: key,
    InboundHook: hook,
    McpServer: server,
    HttpApi: api,
    RemoteTool: remote,
}
