from integrations_app.models.channels import (
    Channel,
    ChannelRoute,
    Preference,
    Topic,
    TopicSubscription,
)
from integrations_app.models.deliveries import Delivery, DeliveryAttempt, InboundEvent
from integrations_app.models.integrations import (
    Connection,
    Endpoint,
    Integration,
    OAuthAttempt,
)
from integrations_app.models.notifications import (
    DigestEntry,
    Notification,
    NotificationEvent,
    NotificationWorkflow,
)
from integrations_app.models.outside import (
    ApiKey,
    HookTarget,
    HttpApi,
    IdempotencyRecord,
    InboundHook,
    McpServer,
    RemoteTool,
    ServerAuth,
    Transport,
)

__all__ = [
    "ApiKey",
    "Channel",
    "ChannelRoute",
    "Connection",
    "Delivery",
    "DeliveryAttempt",
    "DigestEntry",
    "Endpoint",
    "HookTarget",
    "HttpApi",
    "IdempotencyRecord",
    "InboundEvent",
    "InboundHook",
    "Integration",
    "McpServer",
    "Notification",
    "NotificationEvent",
    "NotificationWorkflow",
    "OAuthAttempt",
    "Preference",
    "RemoteTool",
    "ServerAuth",
    "Topic",
    "TopicSubscription",
    "Transport",
]
