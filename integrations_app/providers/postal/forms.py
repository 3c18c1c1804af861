"""What a Postal server needs."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import (
    Key,
    MailSettings,
    is_one_line,
    key_field,
    webhook_field,
)


def _origin(url: str) -> str:
    if not url.startswith(("https://", "http://")) or not is_one_line(url) or "?" in url:
        raise ValueError("must begin with https://")
    return url.rstrip("/")


class PostalSettings(MailSettings):
    url: Annotated[str, AfterValidator(_origin)] = Field(
        title="Address of the server",
        description="Of your Postal: https://postal.example.org",
        max_length=500,
        json_schema_extra={"format": "uri"},
    )


class PostalCredentials(Form):
    api_key: Key = key_field("API key", "A credential of the kind API.")
    webhook_key: SecretStr = webhook_field(
        "Public key of webhooks", "What “postal default-dkim-record” shows after p=."
    )
