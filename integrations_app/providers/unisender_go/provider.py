"""Unisender Go: letters through its interface v1, events signed with the API key."""

from typing import Any

from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe
from integrations_app.providers.places import base_url
from integrations_app.providers.unisender_go.forms import (
    UnisenderGoCredentials,
    UnisenderGoSettings,
)


@register
class UnisenderGo(AnymailProvider):
    slug = "unisender_go"
    title = "Unisender Go"
    description = "E-mail through Unisender Go."
    settings_model = UnisenderGoSettings
    credentials_model = UnisenderGoCredentials
    backend = "anymail.backends.unisender_go.EmailBackend"
    tracker = "anymail.webhooks.unisender_go.UnisenderGoTrackingWebhookView"

    def place(self, settings: Any) -> str:
        return base_url("unisender_go_2" if settings.data_centre == "go2" else "unisender_go")

    def options(self, account: Account) -> dict[str, Any]:
        return {"api_key": account.credentials.api_key.get_secret_value()}

    def probe(self, account: Account) -> Probe:
        key = account.credentials.api_key.get_secret_value()
        return Probe(path="system/info.json", method="POST", headers={"X-API-KEY": key}, json={})

    def verify_webhook(self, account: Account, request: Request) -> None:
        signatures.unisender(account.credentials.api_key, request)
