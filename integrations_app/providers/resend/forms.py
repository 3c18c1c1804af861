"""What Resend needs."""

from pydantic import SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import Key, MailSettings, key_field, webhook_field


class ResendSettings(MailSettings):
    pass


class ResendCredentials(Form):
    api_key: Key = key_field("API key", "A key that may only send is enough.")
    webhook_key: SecretStr = webhook_field(
        "Signing secret of the webhook", "Begins with whsec_; shown there beside the webhook."
    )
