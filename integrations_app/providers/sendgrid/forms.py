"""What SendGrid needs."""

from typing import Literal

from pydantic import Field, SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field, webhook_field


class SendGridSettings(MailSettings):
    region: Literal["global", "eu"] = Field(
        default="global", title="Region", description="Where the account is kept."
    )


class SendGridCredentials(Form):
    api_key: Key = key_field("API key", "With the permission Mail Send.")
    webhook_key: SecretStr = webhook_field(
        "Verification key of webhooks",
        "The public key that is shown when the signed event webhook is switched on.",
    )
