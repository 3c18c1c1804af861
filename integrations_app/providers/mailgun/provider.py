"""Mailgun: letters through its interface v3, events signed with HMAC."""

from typing import Any

from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe, basic
from integrations_app.providers.mailgun.forms import MailgunCredentials, MailgunSettings
from integrations_app.providers.places import base_url


@register
class Mailgun(AnymailProvider):
    slug = "mailgun"
    title = "Mailgun"
    description = "E-mail through Mailgun."
    settings_model = MailgunSettings
    credentials_model = MailgunCredentials
    backend = "anymail.backends.mailgun.EmailBackend"
    tracker = "anymail.webhooks.mailgun.MailgunTrackingWebhookView"

    def place(self, settings: Any) -> str:
        return base_url("mailgun_eu" if settings.region == "eu" else "mailgun")

    def options(self, account: Account) -> dict[str, Any]:
        return {
            "api_key": account.credentials.api_key.get_secret_value(),
            "sender_domain": account.settings.domain,
        }

    def probe(self, account: Account) -> Probe:
        # A key of a domain may do nothing but send. A letter without anything in it is refused, but
        # only after the key and the domain were found good.
        return Probe(
            path=f"{account.settings.domain}/messages",
            method="POST",
            headers=basic("api", account.credentials.api_key),
            json={},
        )

    def is_good(self, status: int, body: Any) -> bool:
        return status == 400

    def found(self, account: Account, body: Any) -> str:
        return f"Mailgun accepts the key and knows {account.settings.domain}."

    def is_about_target(self, status: int, body: Any) -> bool:
        said = str(body.get("message", "")) if isinstance(body, dict) else ""
        return status == 400 and said.startswith(("'to' parameter", "to parameter"))

    def verify_webhook(self, account: Account, request: Request) -> None:
        signatures.mailgun(account.credentials.webhook_key, request)
