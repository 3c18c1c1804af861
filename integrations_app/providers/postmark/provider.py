"""Postmark: letters through its interface, events with a shared secret."""

from collections.abc import Mapping
from typing import Any

from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe
from integrations_app.providers.postmark.forms import PostmarkCredentials, PostmarkSettings


@register
class Postmark(AnymailProvider):
    slug = "postmark"
    title = "Postmark"
    description = "E-mail through Postmark."
    settings_model = PostmarkSettings
    credentials_model = PostmarkCredentials
    backend = "anymail.backends.postmark.EmailBackend"
    tracker = "anymail.webhooks.postmark.PostmarkTrackingWebhookView"

    def options(self, account: Account) -> dict[str, Any]:
        return {
            "server_token": account.credentials.server_token.get_secret_value(),
            "message_stream": account.settings.message_stream,
        }

    def probe(self, account: Account) -> Probe:
        token = account.credentials.server_token.get_secret_value()
        return Probe(path="server", headers={"X-Postmark-Server-Token": token})

    def found(self, account: Account, body: Any) -> str:
        return f"Postmark accepts the token of the server “{str(body['Name'])[:80]}”."

    def is_soft(self, event: Mapping[str, Any]) -> bool:
        return event.get("Type") in ("SoftBounce", "Transient", "DnsError")

    def verify_webhook(self, account: Account, request: Request) -> None:
        signatures.shared(account.credentials.webhook_secret, request)
