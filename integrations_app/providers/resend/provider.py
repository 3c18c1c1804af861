"""Resend: letters through its interface, which takes an idempotency key for 24 hours; events signed
as Svix does."""

from collections.abc import Mapping
from typing import Any

from integrations_app.errors import OutcomeUnknown, SendError
from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe
from integrations_app.providers.mail.refusals import code_of
from integrations_app.providers.resend.forms import ResendCredentials, ResendSettings


@register
class Resend(AnymailProvider):
    slug = "resend"
    title = "Resend"
    description = "E-mail through Resend."
    settings_model = ResendSettings
    credentials_model = ResendCredentials
    backend = "anymail.backends.resend.EmailBackend"
    tracker = "anymail.webhooks.resend.ResendTrackingWebhookView"
    idempotent = True

    def options(self, account: Account) -> dict[str, Any]:
        return {"api_key": account.credentials.api_key.get_secret_value()}

    def headers(self, idempotency_key: str) -> dict[str, str]:
        return {"Idempotency-Key": idempotency_key[:256]}

    def probe(self, account: Account) -> Probe:
        key = account.credentials.api_key.get_secret_value()
        return Probe(path="domains", headers={"Authorization": f"Bearer {key}"})

    def found(self, account: Account, body: Any) -> str:
        if body.get("name") == "restricted_api_key":
            return "Resend accepts the key; it may only send."
        names = [str(one["name"]) for one in body["data"] if one.get("status") == "verified"]
        mine = account.settings.from_email.rpartition("@")[2]
        if mine in names:
            return f"Resend accepts the key, and {mine} is verified."
        return f"Resend accepts the key; it has not verified {mine}, so letters may be refused."

    def special(self, status: int, body: Any) -> SendError | None:
        # The same key is just being worked on, or was used for another letter.
        if status == 409:
            return OutcomeUnknown(code=code_of(body))
        return None

    def is_good(self, status: int, body: Any) -> bool:
        # Said to a key that may only send, when it is asked for domains.
        return status == 401 and code_of(body) == "restricted_api_key"

    def is_about_target(self, status: int, body: Any) -> bool:
        said = str(body.get("message", "")) if isinstance(body, dict) else ""
        return status == 422 and "`to`" in said

    def is_soft(self, event: Mapping[str, Any]) -> bool:
        data = event.get("data")
        bounce = data.get("bounce") if isinstance(data, Mapping) else None
        return isinstance(bounce, Mapping) and bounce.get("type") == "Transient"

    def verify_webhook(self, account: Account, request: Request) -> None:
        signatures.svix(account.credentials.webhook_key, request)
