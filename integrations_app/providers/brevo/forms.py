"""What Brevo needs."""

from pydantic import SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field, webhook_field


class BrevoSettings(MailSettings):
    pass


class BrevoCredentials(Form):
    api_key: Key = key_field("API key", "A key of the interface v3, not of SMTP.")
    webhook_secret: SecretStr = webhook_field(
        "Secret of webhooks",
        "Make one up and enter it there as token, or as password in the address. Without it, "
        "webhooks are refused.",
    )
