"""Postal, a mail server people run themselves: events signed with RSA.

Its interface answers 200 to what it refuses; its code says what that means.
"""

from collections.abc import Mapping
from typing import Any

from integrations_app.errors import AuthFailed, BadTarget, InvalidSettings, Permanent, SendError
from integrations_app.providers.base import Account, Request, StatusEvent, register
from integrations_app.providers.http import check_address
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe
from integrations_app.providers.mail.listed import is_plain
from integrations_app.providers.postal.forms import PostalCredentials, PostalSettings
from integrations_app.types import DeliveryStatus, Reason

_MEANING: Mapping[str, type[SendError]] = {
    "AccessDenied": AuthFailed,
    "InvalidServerAPIKey": AuthFailed,
    "ServerSuspended": AuthFailed,
    "NoRecipients": BadTarget,
}


@register
class Postal(AnymailProvider):
    slug = "postal"
    title = "Postal"
    description = "E-mail through your own Postal server."
    settings_model = PostalSettings
    credentials_model = PostalCredentials
    backend = "anymail.backends.postal.EmailBackend"
    tracker = "anymail.webhooks.postal.PostalTrackingWebhookView"

    def place(self, settings: Any) -> str:
        return str(settings.url)

    def check_settings(self, settings: Any) -> None:
        check_address(settings.url)
        if is_plain(settings.url):
            raise InvalidSettings({"url": "The address must begin with https://."})

    def options(self, account: Account) -> dict[str, Any]:
        return {"api_key": account.credentials.api_key.get_secret_value()}

    def probe(self, account: Account) -> Probe:
        # There is no message 0: a good key is told so.
        key = account.credentials.api_key.get_secret_value()
        return Probe(
            path="api/v1/messages/message",
            method="POST",
            headers={"X-Server-API-Key": key},
            json={"id": 0},
        )

    def found(self, account: Account, body: Any) -> str:
        if body["status"] not in ("success", "error"):
            raise KeyError("status")
        return "The Postal server accepts the key."

    def special(self, status: int, body: Any) -> SendError | None:
        if status != 200 or not isinstance(body, dict) or body.get("status") in ("success", None):
            return None
        data = body.get("data")
        code = str(data.get("code", "")) if isinstance(data, dict) else ""
        if code == "MessageNotFound":  # what the test asks for
            return None
        return _MEANING.get(code, Permanent)(code=code[:60] or "parameter_error")

    def parse_status(self, account: Account, request: Request) -> list[StatusEvent]:
        events = super().parse_status(account, request)
        # HardFail: refused by the receiver for good; anymail calls it "failed".
        return [_refused(one) if one.body.get("event") == "failed" else one for one in events]

    def verify_webhook(self, account: Account, request: Request) -> None:
        signatures.postal(account.credentials.webhook_key, request)


def _refused(event: StatusEvent) -> StatusEvent:
    return StatusEvent(
        external_id=event.external_id,
        message_id=event.message_id,
        status=DeliveryStatus.BOUNCED,
        reason=Reason.BOUNCED,
        body={**event.body, "bounce": "hard"},
    )
