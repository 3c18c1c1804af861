"""SendGrid: letters through its interface v3, events signed with ECDSA."""

from collections.abc import Mapping
from typing import Any

from integrations_app.errors import Permanent, SendError
from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe
from integrations_app.providers.mail.refusals import code_of, parts_of
from integrations_app.providers.places import base_url
from integrations_app.providers.sendgrid.forms import SendGridCredentials, SendGridSettings


@register
class SendGrid(AnymailProvider):
    slug = "sendgrid"
    title = "SendGrid"
    description = "E-mail through Twilio SendGrid."
    settings_model = SendGridSettings
    credentials_model = SendGridCredentials
    backend = "integrations_app.providers.sendgrid.backend.SendGridBackend"
    tracker = "anymail.webhooks.sendgrid.SendGridTrackingWebhookView"

    def place(self, settings: Any) -> str:
        return base_url("sendgrid_eu" if settings.region == "eu" else "sendgrid")

    def options(self, account: Account) -> dict[str, Any]:
        return {"api_key": account.credentials.api_key.get_secret_value()}

    def probe(self, account: Account) -> Probe:
        key = account.credentials.api_key.get_secret_value()
        return Probe(path="scopes", headers={"Authorization": f"Bearer {key}"})

    def found(self, account: Account, body: Any) -> str:
        if "mail.send" not in body["scopes"]:
            raise Permanent("This key may not send mail.", code="no_mail_send")
        return "SendGrid accepts the key, and it may send mail."

    def special(self, status: int, body: Any) -> SendError | None:
        # 403 is also said to a sender that is not verified; the key is good then.
        about = next((str(part["field"]) for part in parts_of(body) if part.get("field")), "")
        if status == 403 and about.startswith("from"):
            return Permanent("SendGrid has not verified this sender.", code="from")
        return None

    def is_about_target(self, status: int, body: Any) -> bool:
        return status == 400 and code_of(body).startswith("personalizations.0.to")

    def is_soft(self, event: Mapping[str, Any]) -> bool:
        return event.get("type") == "blocked"

    def verify_webhook(self, account: Account, request: Request) -> None:
        signatures.sendgrid(account.credentials.webhook_key, request)
