"""Messages of Amazon SNS: signed with a certificate of Amazon, of the topic that was set.

Anybody with an account can have SNS sign and deliver messages; what makes them ours is the topic.
"""

import base64
import binascii
import re
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from integrations_app.errors import SignatureInvalid
from integrations_app.providers.base import Request
from integrations_app.providers.mail.signatures import fresh_iso, loaded
from integrations_app.providers.places import replaced
from integrations_app.providers.sync_http import guarded_session
from one_project.common.errors import AppError

_SECONDS: Final = 5.0
_HOST: Final = r"sns\.(?P<region>[a-z0-9-]{1,32})\.amazonaws\.com(\.cn)?"
_CERTIFICATE: Final = re.compile(rf"https://{_HOST}/SimpleNotificationService-[0-9a-f]{{32}}\.pem")
_CONFIRMATION: Final = re.compile(rf"https://{_HOST}/\?[A-Za-z0-9=&%:_.~+-]{{1,1500}}")
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_ABOUT_SUBSCRIPTION: Final = (
    "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
)  # fmt: skip


def verify(topic: str, request: Request) -> dict[str, Any]:
    """The message, of ``topic`` and not older than five minutes.

    Fetches the certificate where it is not known yet. Raises SignatureInvalid.
    """
    message = loaded(request.body)
    if not topic or message.get("TopicArn") != topic:
        raise SignatureInvalid("This is not of the topic that was set.")
    found = _CERTIFICATE.fullmatch(str(message.get("SigningCertURL", "")))
    if found is None or found["region"] != topic.split(":")[3]:
        raise SignatureInvalid
    names = _NOTIFICATION if message.get("Type") == "Notification" else _ABOUT_SUBSCRIPTION
    signed = "".join(f"{one}\n{message[one]}\n" for one in names if message.get(one) is not None)
    newer = message.get("SignatureVersion") == "2"
    try:
        _key(found[0]).verify(
            base64.b64decode(str(message.get("Signature", "")), validate=True),
            signed.encode(),
            padding.PKCS1v15(),
            hashes.SHA256() if newer else hashes.SHA1(),  # noqa: S303  the topic's choice
        )
    except (InvalidSignature, binascii.Error, ValueError):
        raise SignatureInvalid from None
    fresh_iso(str(message.get("Timestamp", "")), request)
    return message


def confirm(topic: str, message: dict[str, Any]) -> None:
    """Answer a verified question whether the topic may deliver here. Raises SignatureInvalid."""
    url = str(message.get("SubscribeURL", ""))
    asked = parse_qs(urlsplit(url).query)
    is_ours = asked.get("TopicArn") == [topic] and asked.get("Action") == ["ConfirmSubscription"]
    found = _CONFIRMATION.fullmatch(url)
    if found is None or found["region"] != topic.split(":")[3] or not is_ours:
        raise SignatureInvalid
    _fetched(url)


@lru_cache(maxsize=64)
def _key(url: str) -> rsa.RSAPublicKey:
    key = x509.load_pem_x509_certificate(_fetched(url)).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise SignatureInvalid
    return key


def _fetched(url: str) -> bytes:
    """What is at one of Amazon's addresses. Raises SignatureInvalid where it is not to be had."""
    place = replaced("sns")
    if place:
        parts = urlsplit(url)
        url = f"{place.rstrip('/')}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    try:
        with guarded_session(timeout=_SECONDS, max_bytes=100_000) as session:
            answer = session.get(url, allow_redirects=False)
        if answer.status_code == 200:
            return answer.content
    except (AppError, requests.RequestException, OSError):
        pass
    raise SignatureInvalid("Amazon could not be asked about this signature.")
