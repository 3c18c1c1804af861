"""SparkPost: letters through its interface v1, events with a shared secret."""

from collections.abc import Mapping
from typing import Any

from integrations_app.providers.base import Account, Request, register
from integrations_app.providers.mail import signatures
from integrations_app.providers.mail.family import AnymailProvider, Probe
from integrations_app.providers.places import base_url
from integrations_app.providers.sparkpost.forms import SparkPostCredentials, SparkPostSettings

# Classes of bounces that are for now only: full, too large, name not found, greylisted, …
_SOFT = frozenset(("20", "21", "22", "23", "24", "40", "70", "100"))


@register
class SparkPost(AnymailProvider):
    slug = "sparkpost"
    title = "SparkPost"
    description = "E-mail through SparkPost."
    settings_model = SparkPostSettings
    credentials_model = SparkPostCredentials
    backend = "anymail.backends.sparkpost.EmailBackend"
    tracker = "anymail.webhooks.sparkpost.SparkPostTrackingWebhookView"

    def place(self, settings: Any) -> str:
        return base_url("sparkpost_eu" if settings.region == "eu" else "sparkpost")

    def options(self, account: Account) -> dict[str, Any]:
        return {"api_key": account.credentials.api_key.get_secret_value()}

    def probe(self, account: Account) -> Probe:
        key = account.credentials.api_key.get_secret_value()
        return Probe(path="account", headers={"Authorization": key})

    def is_good(self, status: int, body: Any) -> bool:
        # A key that may not read the account is known all the same; a wrong one is told 401.
        return status == 403

    def is_soft(self, event: Mapping[str, Any]) -> bool:
        inner = event.get("msys")
        told = next(iter(inner.values()), None) if isinstance(inner, Mapping) else None
        return isinstance(told, Mapping) and str(told.get("bounce_class", "")) in _SOFT

    def verify_webhook(self, account: Account, request: Request) -> None:
        signatures.shared(account.credentials.webhook_secret, request)
