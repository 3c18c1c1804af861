"""Scaleway: letters through its interface. It has no webhook that anymail or we could check."""

from typing import Any

from integrations_app.providers.base import Account, register
from integrations_app.providers.mail.family import AnymailProvider, Probe
from integrations_app.providers.places import base_url
from integrations_app.providers.scaleway.forms import ScalewayCredentials, ScalewaySettings


@register
class Scaleway(AnymailProvider):
    slug = "scaleway"
    title = "Scaleway"
    description = "E-mail through Scaleway."
    settings_model = ScalewaySettings
    credentials_model = ScalewayCredentials
    backend = "anymail.backends.scaleway.EmailBackend"
    has_webhook = False

    def place(self, settings: Any) -> str:
        return f"{base_url('scaleway')}/regions/{settings.region}"

    def options(self, account: Account) -> dict[str, Any]:
        return {
            "secret_key": account.credentials.secret_key.get_secret_value(),
            "project_id": account.settings.project_id,
        }

    def probe(self, account: Account) -> Probe:
        key = account.credentials.secret_key.get_secret_value()
        project = account.settings.project_id
        return Probe(
            path=f"domains?project_id={project}&page_size=1", headers={"X-Auth-Token": key}
        )
