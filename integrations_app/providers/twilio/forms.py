"""What Twilio needs: the account, who sends, and which countries may be sent to."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from integrations_app.providers.base import Form

PHONE: Final = re.compile(r"\+[1-9]\d{6,14}")
_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}")
_SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}")
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_TEMPLATE: Final = re.compile(r"HX[0-9a-fA-F]{32}")
_CODE: Final = re.compile(r"\+[1-9]\d{0,6}")


def phone(text: str) -> str:
    """As +491701234567. Raises ValueError."""
    number = re.sub(r"[\s()./-]", "", text)
    if not PHONE.fullmatch(number):
        raise ValueError("must be written with the country, like +49 170 1234567")
    return number


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError("begins with AC and has 34 letters and digits")
    return text


def _sender(text: str) -> str:
    if _SERVICE.fullmatch(text) or _NAME.fullmatch(text):
        return text
    return phone(text)


def _template(text: str) -> str:
    if text and not _TEMPLATE.fullmatch(text):
        raise ValueError("begins with HX and has 34 letters and digits")
    return text


def _countries(text: str) -> str:
    parts = [one for one in re.split(r"[\s,;]+", text) if one]
    if not parts or not all(one == "*" or _CODE.fullmatch(one) for one in parts):
        raise ValueError("must be country codes such as +49 +43, or * for all")
    return " ".join(parts)


class TwilioSettings(Form):
    account_sid: Annotated[str, AfterValidator(_account)] = Field(
        title="Account SID", description="Begins with AC."
    )
    countries: Annotated[str, AfterValidator(_countries)] = Field(
        title="Countries",
        description="Codes of those that may be sent to, such as +49 +43; * for all. Others are "
        "refused: messages to expensive numbers are a common fraud.",
        max_length=400,
    )


class SmsSettings(TwilioSettings):
    sender: Annotated[str, AfterValidator(_sender)] = Field(
        title="From",
        description="A number of the account, a messaging service (MG…), or a name of 11 letters.",
        max_length=40,
    )


class WhatsAppSettings(TwilioSettings):
    sender: Annotated[str, AfterValidator(phone)] = Field(
        title="From", description="The number that is registered for WhatsApp.", max_length=40
    )
    template_sid: Annotated[str, AfterValidator(_template)] = Field(
        default="",
        title="Template",
        description="HX…: for those who have not written in the last 24 hours. The text is put "
        "in its place 1.",
    )


class TwilioCredentials(Form):
    auth_token: SecretStr = Field(
        title="Auth token", description="Also tells true webhooks.", min_length=16, max_length=200
    )


def is_allowed(number: str, countries: str) -> bool:
    """Whether a number is in one of the countries of the settings."""
    return any(one == "*" or number.startswith(one) for one in countries.split())
