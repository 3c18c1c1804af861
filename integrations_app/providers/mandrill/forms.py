"""What Mandrill needs."""

from pydantic import SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field, webhook_field


class MandrillSettings(MailSettings):
    pass


class MandrillCredentials(Form):
    api_key: Key = key_field("API key")
    webhook_key: SecretStr = webhook_field("Key of the webhook", "Shown there beside the webhook.")
