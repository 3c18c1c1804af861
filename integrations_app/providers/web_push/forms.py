"""What push to browsers needs: a contact, and a key that is made here. And what a browser gives."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator

from integrations_app.errors import InvalidSettings
from integrations_app.providers.base import Form
from integrations_app.providers.http import check_address
from integrations_app.providers.mail.forms import MailAddress

MAX_URL: Final = 1_500


class WebPushSettings(Form):
    contact: MailAddress = Field(
        title="Contact",
        description="An e-mail address: services of push write there when something is wrong.",
        max_length=254,
    )


def _a_key(secret: SecretStr) -> SecretStr:
    public_key(secret.get_secret_value())
    return secret


class WebPushCredentials(Form):
    """The key is made when nothing is given; with another one, browsers have to subscribe again."""

    vapid_key: Annotated[SecretStr, AfterValidator(_a_key)] = Field(
        default_factory=lambda: SecretStr(new_key()),
        title="Key (VAPID)",
        description="Leave it empty: one is made. Or 32 bytes as base64url.",
        max_length=100,
    )

    @field_validator("vapid_key", mode="before")
    @classmethod
    def _made(cls, value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return SecretStr(new_key()) if isinstance(text, str) and not text.strip() else value


class _Keys(Form):
    p256dh: str = Field(max_length=200)
    auth: str = Field(max_length=100)


class _Subscription(Form):
    """As ``PushSubscription.toJSON()`` gives it."""

    endpoint: str = Field(max_length=MAX_URL)
    expirationTime: float | None = None  # noqa: N815  its name there
    keys: _Keys


def checked_subscription(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a browser's subscription, sealed: the address and its two keys.

    Looks the name of the host up. Raises InvalidSettings, BadAddress, AddressRefused.
    """
    try:
        found = _Subscription.model_validate(dict(given))
        point = decoded(found.keys.p256dh)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        if len(decoded(found.keys.auth)) != 16:
            raise ValueError
    except (ValidationError, ValueError):
        raise InvalidSettings(
            {"subscription": "This is not the subscription of a browser."}
        ) from None
    check_address(found.endpoint)
    keys = {"p256dh": found.keys.p256dh, "auth": found.keys.auth}
    return {"endpoint": found.endpoint, "keys": keys}


def new_key() -> str:
    """A private key, 32 bytes as base64url."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return _encoded(number.to_bytes(32, "big"))


def public_key(private: str) -> str:
    """What browsers subscribe with (``applicationServerKey``), as base64url. Raises ValueError."""
    raw = decoded(private)
    if len(raw) != 32:
        raise ValueError("must be 32 bytes as base64url")
    key = ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _encoded(point)


def decoded(text: str) -> bytes:
    """base64url, with or without its padding. Raises ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("must be base64url") from None


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
