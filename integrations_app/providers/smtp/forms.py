"""What a mail server needs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from integrations_app.providers.base import Form
from integrations_app.providers.mail.forms import MailSettings, OneLine, is_one_line


def _host(host: str) -> str:
    if not host or not is_one_line(host) or any(one in host for one in "/@? "):
        raise ValueError("must be the name of a server, such as smtp.example.org")
    return host


class SmtpSettings(MailSettings):
    host: Annotated[str, AfterValidator(_host)] = Field(
        title="Server", description="Such as smtp.example.org.", max_length=253
    )
    port: int = Field(
        default=587, ge=1, le=65_535, title="Port", description="587 as a rule, 465 for TLS."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        title="Encryption",
        description="STARTTLS is for port 587, TLS for 465; none only for servers the operator "
        "has listed.",
    )


def _ascii(text: str) -> str:
    if not text.isascii():
        raise ValueError("must be letters, digits and signs without accents")
    return text


def _ascii_secret(secret: SecretStr) -> SecretStr:
    _ascii(secret.get_secret_value())
    return secret


class SmtpCredentials(Form):
    """Both, or neither for a server that knows us by our address."""

    username: Annotated[OneLine, AfterValidator(_ascii)] = Field(
        default="", title="User name", max_length=320
    )
    password: Annotated[SecretStr, AfterValidator(_ascii_secret)] = Field(
        default=SecretStr(""), title="Password", max_length=500
    )

    @model_validator(mode="after")
    def _both(self) -> "SmtpCredentials":
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("Give both a user name and a password, or neither.")
        return self
