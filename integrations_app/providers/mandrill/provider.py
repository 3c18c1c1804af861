"""Mandrill: letters through its interface 1.0, events signed with HMAC over a form.

Its refusals come as status 500 with a name, which says what they are.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from integrations_app.errors import AuthFailed, OutcomeUnknown, Permanent, SendError
from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe
from integrations_app.providers.mandrill.forms import MandrillCredentials, MandrillSettings

_MEANING: Mapping[str, type[SendError]] = {
    "Invalid_Key": AuthFailed,
    "ValidationError": Permanent,
    "PaymentRequired": Permanent,
    "Unknown_Subaccount": Permanent,
    "GeneralError": OutcomeUnknown,
}


@register
class Mandrill(AnymailProvider):
    slug = "mandrill"
    title = "Mandrill"
    description = "E-mail through Mailchimp Transactional."
    settings_model = MandrillSettings
    credentials_model = MandrillCredentials
    backend = "anymail.backends.mandrill.EmailBackend"
    tracker = "anymail.webhooks.mandrill.MandrillCombinedWebhookView"

    def options(self, account: Account) -> dict[str, Any]:
        return {"api_key": account.credentials.api_key.get_secret_value()}

    def probe(self, account: Account) -> Probe:
        key = account.credentials.api_key.get_secret_value()
        return Probe(path="users/ping2.json", method="POST", json={"key": key})

    def special(self, status: int, body: Any) -> SendError | None:
        if status < 400 or not isinstance(body, dict):
            return None
        kind = _MEANING.get(str(body.get("name", "")))
        return kind(code=str(body["name"])) if kind else None

    def is_soft(self, event: Mapping[str, Any]) -> bool:
        return event.get("event") == "soft_bounce"

    def verify_webhook(self, account: Account, request: Request) -> None:
        form = request.form or {
            name: values[-1]
            for name, values in parse_qs(
                request.body.decode(errors="replace"), keep_blank_values=True
            ).items()
        }
        signatures.mandrill(account.credentials.webhook_key, form, request)
