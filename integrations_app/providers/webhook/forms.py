"""What a webhook needs: the secret that its receivers check signatures with."""

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from integrations_app.providers.base import Form

_PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The bytes that sign: what is after ``whsec_`` is base64. Raises ValueError."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("is not base64 after whsec_") from None


def _long(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if len(key_of(text)) < 24:
        raise ValueError(
            "must be 24 bytes at least: it is all that tells your requests from others'"
        )
    return SecretStr(text)


class WebhookCredentials(Form):
    signing_secret: Annotated[SecretStr, AfterValidator(_long)] = Field(
        title="Signing secret",
        description="whsec_ with base64 after it, or any text of 24 letters; the receiver checks "
        "signatures with it (Standard Webhooks).",
        max_length=300,
    )
