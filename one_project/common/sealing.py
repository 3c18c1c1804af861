"""Secrets at rest: JSON objects under authenticated encryption (AES-256-GCM), bound to their row.

``v1:<key id>:<base64 of nonce and ciphertext>``. The associated data is ``app.model:pk:field``, so
that a value copied into another row, column or tenant does not open. Keys come from
ONE_CREDENTIAL_KEYS (``id:base64,…``), apart from SECRET_KEY: the first seals, all of them open.
"""

import base64
import binascii
import json
import os
import re
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

VERSION: Final = "v1"
KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_ID: Final = re.compile(r"^[A-Za-z0-9_-]{1,32}$")


class SealBroken(Exception):
    """A sealed value that does not open: another row's, altered, or its key is not there.

    Never holds the value. What does not open is never given back as it is.
    """


def seal(value: dict[str, Any], place: str) -> str:
    """``value`` sealed with the first key for ``place`` (``app.model:pk:field``)."""
    key_id, key = next(iter(_keys().items()))
    nonce = os.urandom(_NONCE_BYTES)
    text = json.dumps(value, separators=(",", ":")).encode()
    sealed = AESGCM(key).encrypt(nonce, text, _bound(place, key_id))
    return f"{VERSION}:{key_id}:{base64.b64encode(nonce + sealed).decode()}"


def unseal(text: str, place: str) -> dict[str, Any]:
    """The object in ``text``. Raises SealBroken."""
    key_id = key_id_of(text)
    key = _keys().get(key_id)
    if key is None:
        raise SealBroken(f"{place}: sealed with key {key_id!r}, which is not configured")
    try:
        raw = base64.b64decode(text.split(":", 2)[2], validate=True)
        opened = AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(place, key_id))
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise SealBroken(f"{place}: altered, or another row's") from error
    found: dict[str, Any] = json.loads(opened)
    return found


def key_id_of(text: str) -> str:
    """The id of the key that sealed ``text``. Raises SealBroken for what is no sealed value."""
    parts = text.split(":", 2)
    if len(parts) != 3 or parts[0] != VERSION or not _KEY_ID.match(parts[1]):
        raise SealBroken("not a sealed value")
    return parts[1]


def current_key_id() -> str:
    """The id of the key that seals now."""
    return next(iter(_keys()))


def key_ids() -> list[str]:
    """All configured ids, the current one first."""
    return list(_keys())


def _bound(place: str, key_id: str) -> bytes:
    return f"{VERSION}:{key_id}:{place}".encode()


def _keys() -> dict[str, bytes]:
    return parsed_keys(settings.ONE_CREDENTIAL_KEYS)


@lru_cache(maxsize=8)
def parsed_keys(text: str) -> dict[str, bytes]:
    """Keys by id. Raises ImproperlyConfigured, without the keys, where one is not usable."""
    found: dict[str, bytes] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        key_id, _, encoded = part.partition(":")
        # Of both alphabets, padded or not: as openssl and Python's secrets write them.
        plain = encoded.strip().rstrip("=").replace("-", "+").replace("_", "/")
        try:
            key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not _KEY_ID.match(key_id) or len(key) != KEY_BYTES or key_id in found:
            raise ImproperlyConfigured(
                "ONE_CREDENTIAL_KEYS is a list of id:key, comma separated, each key 32 bytes in"
                " base64, each id once."
            )
        found[key_id] = key
    if not found:
        raise ImproperlyConfigured("ONE_CREDENTIAL_KEYS is not set: secrets cannot be stored.")
    return found


def new_key() -> str:
    """A fresh key as it stands in ONE_CREDENTIAL_KEYS after its id."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()
