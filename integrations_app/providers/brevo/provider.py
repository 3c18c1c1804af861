"""Brevo (formerly Sendinblue): letters through its interface v3, events with a shared secret."""

from collections.abc import Mapping
from typing import Any

from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.brevo.forms import BrevoCredentials, BrevoSettings
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe


@register
class Brevo(AnymailProvider):
    slug = "brevo"
    title = "Brevo"
    description = "E-mail through Brevo."
    settings_model = BrevoSettings
    credentials_model = BrevoCredentials
    backend = "anymail.backends.brevo.EmailBackend"
    tracker = "anymail.webhooks.brevo.BrevoTrackingWebhookView"

    def options(self, account: Account) -> dict[str, Any]:
        return {"api_key": account.credentials.api_key.get_secret_value()}

    def probe(self, account: Account) -> Probe:
        key = account.credentials.api_key.get_secret_value()
        return Probe(path="account", headers={"api-key": key})

    def is_soft(self, event: Mapping[str, Any]) -> bool:
        return event.get("event") == "soft_bounce"

    def verify_webhook(self, account: Account, request: Request) -> None:
        signatures.shared(account.credentials.webhook_secret, request)
