"""What Postmark needs."""

from pydantic import Field, SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import (
    Key,
    MailSettings,
    OneLine,
    key_field,
    webhook_field,
)


class PostmarkSettings(MailSettings):
    message_stream: OneLine = Field(
        default="outbound", title="Message stream", pattern=r"^[a-z0-9-]{1,30}$"
    )


class PostmarkCredentials(Form):
    server_token: Key = key_field("Server API token", "Of the server, not of the account.")
    webhook_secret: SecretStr = webhook_field(
        "Secret of webhooks",
        "Make one up and enter it there as password of basic authentication. Without it, "
        "webhooks are refused.",
    )
