"""What MailerSend needs."""

from pydantic import SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field, webhook_field


class MailerSendSettings(MailSettings):
    pass


class MailerSendCredentials(Form):
    api_token: Key = key_field("API token", "Of the sending domain.")
    webhook_key: SecretStr = webhook_field(
        "Signing secret of the webhook", "Shown there once the webhook is made."
    )
