"""What SparkPost needs."""

from typing import Literal

from pydantic import Field, SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field, webhook_field


class SparkPostSettings(MailSettings):
    region: Literal["us", "eu"] = Field(
        default="us", title="Region", description="Where the account is kept."
    )


class SparkPostCredentials(Form):
    api_key: Key = key_field("API key", "With the permission Transmissions: Read/Write.")
    webhook_secret: SecretStr = webhook_field(
        "Secret of webhooks",
        "Make one up and enter it there as password of basic authentication. Without it, "
        "webhooks are refused.",
    )
