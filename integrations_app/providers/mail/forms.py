"""Settings that every provider of e-mail has: who the letters are from."""

import re
from typing import Annotated, Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import AfterValidator, Field, SecretStr

from integrations_app.providers.base import Form

# A line break in a header begins another header.
_BREAKS = re.compile(r"[\r\n\x00\u0085\u2028\u2029]")
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}")


def is_one_line(text: str) -> bool:
    """Whether the text may stand in a header."""
    return not _BREAKS.search(text)


def is_mail_address(text: str) -> bool:
    """Whether the text is one bare address ("name@example.org")."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return is_one_line(text) and len(text) <= 320


def _one_line(text: str) -> str:
    if not is_one_line(text):
        raise ValueError("must be one line")
    return text


def _address(text: str) -> str:
    if not is_mail_address(text):
        raise ValueError("must be an e-mail address")
    return text


def _address_or_nothing(text: str) -> str:
    return _address(text) if text else text


def _domain(text: str) -> str:
    if not _DOMAIN.fullmatch(text.lower()):
        raise ValueError("must be a domain, such as mail.example.org")
    return text.lower()


def _secret_line(secret: SecretStr) -> SecretStr:
    # Keys travel in headers; blanks at their ends come from copying.
    text = secret.get_secret_value().strip()
    if not text.isascii() or not text.isprintable():
        raise ValueError("must be one line of plain letters, digits and signs")
    return SecretStr(text)


OneLine = Annotated[str, AfterValidator(_one_line)]
MailAddress = Annotated[str, AfterValidator(_address)]
Domain = Annotated[str, AfterValidator(_domain)]
# A key of a provider: one line of ASCII.
Key = Annotated[SecretStr, AfterValidator(_secret_line)]


class MailSettings(Form):
    """The sender. Nobody chooses another one per message, agents least of all."""

    from_email: MailAddress = Field(
        title="From", description="The address your letters are from.", max_length=254
    )
    from_name: OneLine = Field(
        default="",
        title="Name of the sender",
        description="Shown beside the address.",
        max_length=120,
    )
    reply_to: Annotated[str, AfterValidator(_address_or_nothing)] = Field(
        default="",
        title="Replies go to",
        description="Empty: to the address above.",
        max_length=254,
    )


def key_field(title: str, description: str = "") -> Any:
    """A secret that has to be given."""
    return Field(title=title, description=description, min_length=1, max_length=500)


def webhook_field(title: str, description: str) -> Any:
    """A secret that only webhooks need: without it they are all refused."""
    return Field(default=SecretStr(""), title=title, description=description, max_length=1000)
