"""What Mailjet needs."""

from typing import Literal

from pydantic import Field, SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field, webhook_field


class MailjetSettings(MailSettings):
    region: Literal["eu", "us"] = Field(
        default="eu", title="Region", description="Where the account is kept."
    )


class MailjetCredentials(Form):
    api_key: Key = key_field("API key")
    secret_key: Key = key_field("Secret key")
    webhook_secret: SecretStr = webhook_field(
        "Secret of webhooks",
        "Make one up and enter it as password in the address there: https://one:SECRET@… "
        "Without it, webhooks are refused.",
    )
