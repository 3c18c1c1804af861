"""Mailjet: letters through its interface v3.1, events with a shared secret."""

from collections.abc import Mapping
from typing import Any

from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe, basic
from integrations_app.providers.mail.refusals import code_of
from integrations_app.providers.mailjet.forms import MailjetCredentials, MailjetSettings
from integrations_app.providers.places import base_url

# "is an invalid email address", "recipient refused".
_ADDRESS = ("mj-0013", "mj-0014")


@register
class Mailjet(AnymailProvider):
    slug = "mailjet"
    title = "Mailjet"
    description = "E-mail through Mailjet."
    settings_model = MailjetSettings
    credentials_model = MailjetCredentials
    backend = "anymail.backends.mailjet.EmailBackend"
    tracker = "anymail.webhooks.mailjet.MailjetTrackingWebhookView"

    def place(self, settings: Any) -> str:
        return base_url("mailjet_us" if settings.region == "us" else "mailjet")

    def options(self, account: Account) -> dict[str, Any]:
        return {
            "api_key": account.credentials.api_key.get_secret_value(),
            "secret_key": account.credentials.secret_key.get_secret_value(),
        }

    def probe(self, account: Account) -> Probe:
        keys = account.credentials
        headers = basic(keys.api_key.get_secret_value(), keys.secret_key)
        # What is no sending is version 3.
        return Probe(path="../v3/REST/sender?Limit=1", headers=headers)

    def is_about_target(self, status: int, body: Any) -> bool:
        return code_of(body) in _ADDRESS

    def is_soft(self, event: Mapping[str, Any]) -> bool:
        return not event.get("hard_bounce", True)

    def verify_webhook(self, account: Account, request: Request) -> None:
        signatures.shared(account.credentials.webhook_secret, request)
