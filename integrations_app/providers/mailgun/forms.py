"""What Mailgun needs."""

from typing import Literal

from pydantic import Field, SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import (
    Domain,
    Key,
    MailSettings,
    key_field,
    webhook_field,
)


class MailgunSettings(MailSettings):
    domain: Domain = Field(title="Sending domain", description="As it is called at Mailgun.")
    region: Literal["us", "eu"] = Field(
        default="us", title="Region", description="Where the domain is kept."
    )


class MailgunCredentials(Form):
    api_key: Key = key_field("API key", "Of the account, or the sending key of the domain.")
    webhook_key: SecretStr = webhook_field(
        "HTTP webhook signing key", "Found at Mailgun beside the API keys."
    )
