"""MailerSend: letters through its interface v1, events signed with HMAC."""

from collections.abc import Mapping
from typing import Any

from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe
from integrations_app.providers.mailersend.forms import MailerSendCredentials, MailerSendSettings


@register
class MailerSend(AnymailProvider):
    slug = "mailersend"
    title = "MailerSend"
    description = "E-mail through MailerSend."
    settings_model = MailerSendSettings
    credentials_model = MailerSendCredentials
    backend = "anymail.backends.mailersend.EmailBackend"
    tracker = "anymail.webhooks.mailersend.MailerSendTrackingWebhookView"

    def options(self, account: Account) -> dict[str, Any]:
        return {"api_token": account.credentials.api_token.get_secret_value()}

    def probe(self, account: Account) -> Probe:
        token = account.credentials.api_token.get_secret_value()
        return Probe(path="api-quota", headers={"Authorization": f"Bearer {token}"})

    def is_about_target(self, status: int, body: Any) -> bool:
        errors = body.get("errors") if isinstance(body, dict) else None
        names = [str(one) for one in errors] if isinstance(errors, dict) else []
        return status == 422 and any(one.startswith("to.0.email") for one in names)

    def is_soft(self, event: Mapping[str, Any]) -> bool:
        data = event.get("data")
        return isinstance(data, Mapping) and data.get("type") == "soft_bounced"

    def verify_webhook(self, account: Account, request: Request) -> None:
        given = request.headers.get("signature", "")
        signatures.hmac_hex(account.credentials.webhook_key, request.body, given)
