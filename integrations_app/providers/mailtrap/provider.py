"""Mailtrap: letters through its sending interface, events signed with HMAC."""

from typing import Any

from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe
from integrations_app.providers.mailtrap.forms import MailtrapCredentials, MailtrapSettings
from integrations_app.providers.places import base_url


@register
class Mailtrap(AnymailProvider):
    slug = "mailtrap"
    title = "Mailtrap"
    description = "E-mail through Mailtrap."
    settings_model = MailtrapSettings
    credentials_model = MailtrapCredentials
    backend = "anymail.backends.mailtrap.EmailBackend"
    tracker = "anymail.webhooks.mailtrap.MailtrapTrackingWebhookView"

    def options(self, account: Account) -> dict[str, Any]:
        return {"api_token": account.credentials.api_token.get_secret_value()}

    def probe(self, account: Account) -> Probe:
        token = account.credentials.api_token.get_secret_value()
        # Accounts are at another host than sending.
        return Probe(
            path=f"{base_url('mailtrap_account')}/accounts",
            headers={"Authorization": f"Bearer {token}"},
        )

    def verify_webhook(self, account: Account, request: Request) -> None:
        given = request.headers.get("mailtrap-signature", "")
        signatures.hmac_hex(account.credentials.webhook_key, request.body, given)
