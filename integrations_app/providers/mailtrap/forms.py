"""What Mailtrap needs."""

from pydantic import SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field, webhook_field


class MailtrapSettings(MailSettings):
    pass


class MailtrapCredentials(Form):
    api_token: Key = key_field("API token", "Of the sending domain.")
    webhook_key: SecretStr = webhook_field(
        "Signature secret of the webhook", "Shown there beside the webhook."
    )
