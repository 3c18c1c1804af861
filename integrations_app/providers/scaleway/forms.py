"""What Scaleway needs."""

from typing import Literal

from pydantic import Field

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field


class ScalewaySettings(MailSettings):
    project_id: str = Field(title="Project", description="Its id.", pattern=r"^[0-9a-fA-F-]{36}$")
    region: Literal["fr-par"] = Field(default="fr-par", title="Region")


class ScalewayCredentials(Form):
    secret_key: Key = key_field("Secret key", "Of an API key with the right to send e-mail.")
