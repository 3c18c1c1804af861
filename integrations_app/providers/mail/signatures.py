"""Signatures of webhooks, each as its provider makes them; all on the raw body.

Every function returns nothing or raises SignatureInvalid. Where a time is signed, it must be within
five minutes; elsewhere a copy is known by the id or the hash of its event.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from pydantic import SecretStr

from integrations_app.errors import SignatureInvalid
from integrations_app.providers.base import Request

WINDOW: Final = 300.0


def require(secret: SecretStr) -> str:
    """The secret, which must have been set."""
    value = secret.get_secret_value()
    if not value:
        raise SignatureInvalid("No secret for webhooks is set.")
    return value


def same(given: str, expected: str) -> None:
    # What is given may hold halves of letters, which JSON can write.
    if not hmac.compare_digest(given.encode(errors="replace"), expected.encode()):
        raise SignatureInvalid


def fresh(stamp: float, request: Request) -> None:
    """``stamp``: seconds since 1970, signed."""
    # Also refuses what is no number at all.
    if not abs(request.received_at.timestamp() - stamp) <= WINDOW:
        raise SignatureInvalid("This request is too old.")


def fresh_text(stamp: str, request: Request) -> None:
    """``stamp``: seconds since 1970 as text."""
    try:
        fresh(float(stamp), request)
    except ValueError:
        raise SignatureInvalid from None


def fresh_iso(stamp: str, request: Request) -> None:
    """``stamp``: a moment as ISO 8601 with its zone."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        raise SignatureInvalid from None
    if moment.tzinfo is None:
        raise SignatureInvalid
    fresh(moment.timestamp(), request)


def shared(secret: SecretStr, request: Request) -> None:
    """A shared secret: as Bearer token, or as password of basic authentication (any user name,
    or the secret is "name:password")."""
    expected = require(secret)
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    given = given.strip()
    if kind.lower() == "basic":
        given = _decoded(given).decode(errors="replace")
        if ":" not in expected:
            given = given.partition(":")[2]
    elif kind.lower() != "bearer":
        raise SignatureInvalid
    same(given, expected)


def hmac_hex(secret: SecretStr, message: bytes, given: str) -> None:
    """HMAC-SHA256, in hexadecimal."""
    made = hmac.new(require(secret).encode(), message, hashlib.sha256).hexdigest()
    same(given.lower(), made)


def mailgun(secret: SecretStr, request: Request) -> None:
    """Signs a time and a random token, not the body: the token is the id of the event."""
    signed = loaded(request.body).get("signature")
    if not isinstance(signed, dict):
        raise SignatureInvalid
    stamp, token = str(signed.get("timestamp", "")), str(signed.get("token", ""))
    hmac_hex(secret, f"{stamp}{token}".encode(errors="replace"), str(signed.get("signature", "")))
    fresh_text(stamp, request)


def sendgrid(key: SecretStr, request: Request) -> None:
    """ECDSA over a time and the body, with the public key of the account."""
    stamp = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
    given = request.headers.get("x-twilio-email-event-webhook-signature", "")
    public = _public_key(key)
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise SignatureInvalid
    try:
        public.verify(_decoded(given), stamp.encode() + request.body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise SignatureInvalid from None
    fresh_text(stamp, request)


def postal(key: SecretStr, request: Request) -> None:
    """RSA over the body; the servers of Postal sign with SHA-1, newer ones also with SHA-256."""
    public = _public_key(key)
    if not isinstance(public, rsa.RSAPublicKey):
        raise SignatureInvalid
    newer = request.headers.get("x-postal-signature-256", "")
    given = newer or request.headers.get("x-postal-signature", "")
    # The older scheme is the server's choice; a second body of the same hash is not to be had here.
    digest = hashes.SHA256() if newer else hashes.SHA1()  # noqa: S303
    try:
        public.verify(_decoded(given), request.body, padding.PKCS1v15(), digest)
    except InvalidSignature:
        raise SignatureInvalid from None


def svix(secret: SecretStr, request: Request) -> None:
    """Standard Webhooks under Svix's names; several signatures while a secret is changed."""
    key = require(secret).removeprefix("whsec_")
    event = request.headers.get("svix-id", "")
    stamp = request.headers.get("svix-timestamp", "")
    signed = f"{event}.{stamp}.".encode() + request.body
    made = base64.b64encode(hmac.new(_decoded(key), signed, hashlib.sha256).digest()).decode()
    given = request.headers.get("svix-signature", "").split()
    if not event or not any(
        hmac.compare_digest(one.encode(), f"v1,{made}".encode()) for one in given
    ):
        raise SignatureInvalid
    fresh_text(stamp, request)


def mandrill(secret: SecretStr, form: Mapping[str, str], request: Request) -> None:
    """HMAC-SHA1 over the address of the webhook and the sorted form."""
    signed = request.url + "".join(f"{key}{form[key]}" for key in sorted(form))
    made = hmac.new(
        require(secret).encode(), signed.encode(errors="replace"), hashlib.sha1
    ).digest()
    same(request.headers.get("x-mandrill-signature", ""), base64.b64encode(made).decode())


def unisender(secret: SecretStr, request: Request) -> None:
    """MD5 of the body with the key in the place of the signature: their scheme, no other exists."""
    given = loaded(request.body).get("auth")
    if not isinstance(given, str) or len(given) != 32:
        raise SignatureInvalid
    signed = request.body.replace(given.encode(errors="replace"), require(secret).encode())
    same(given, hashlib.md5(signed, usedforsecurity=False).hexdigest())


def loaded(body: bytes) -> dict[str, Any]:
    """The body as a JSON object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise SignatureInvalid from None
    if not isinstance(value, dict):
        raise SignatureInvalid
    return value


def _public_key(key: SecretStr) -> Any:
    text = "".join(require(key).split())
    for mark in ("-----BEGINPUBLICKEY-----", "-----ENDPUBLICKEY-----"):
        text = text.replace(mark, "")
    try:
        return serialization.load_der_public_key(_decoded(text))
    except (ValueError, UnsupportedAlgorithm):
        raise SignatureInvalid("The public key for webhooks cannot be read.") from None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureInvalid from None
