"""Signatures of events that programs send us, over the raw body. Pure.

``standard``: Standard Webhooks. Each scheme says what makes an event one event: the sender's id
where that is signed, else a hash of what is.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from integrations_app.errors import SignatureInvalid

# Seconds an event may be old, or ahead of our clock.
WINDOW: Final = 300
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  what begins one


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A verified event. ``external_id``: by it, it counts once. ``kind``: what it says it is."""

    external_id: str
    kind: str


def verified(
    scheme: str, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Signed:
    """Raises SignatureInvalid unless one of ``secrets`` signed it, within the window.

    headers: names in lower case.
    """
    check = SCHEMES.get(scheme)
    if check is None or not body:
        raise SignatureInvalid
    return check(secrets, headers, body, now)


def _standard(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Signed:
    event_id = headers.get("webhook-id", "")
    stamp = headers.get("webhook-timestamp", "")
    _check_time(stamp, now)
    if not 0 < len(event_id) <= 200:
        raise SignatureInvalid
    signed = f"{event_id}.{stamp}.".encode() + body
    given = [
        one.removeprefix("v1,")
        for one in headers.get("webhook-signature", "").split(" ")[:10]
        if one.startswith("v1,")
    ]
    made = [base64.b64encode(_mac(_standard_key(one), signed)).decode() for one in secrets]
    _check(given, made)
    return Signed(external_id=event_id, kind=_word(body, "type"))


def _slack(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Signed:
    stamp = headers.get("x-slack-request-timestamp", "")
    _check_time(stamp, now)
    signed = f"v0:{stamp}:".encode() + body
    given = headers.get("x-slack-signature", "")
    _check([given], [f"v0={_mac(one.encode(), signed).hex()}" for one in secrets])
    # Slack sends an event again with the same id.
    return Signed(
        external_id=_word(body, "event_id", 200) or _hash(body),
        kind=_word(body, "type"),
    )


def _github(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Signed:
    given = headers.get("x-hub-signature-256", "")
    _check([given], [f"sha256={_mac(one.encode(), body).hex()}" for one in secrets])
    # Neither the id of the delivery nor a time is signed: only the body says that it is another.
    event = headers.get("x-github-event", "")
    return Signed(external_id=_hash(body), kind=event if event.isidentifier() else "event")


SCHEMES: Final[dict[str, Callable[..., Signed]]] = {
    "standard": _standard,
    "slack": _slack,
    "github": _github,
}


def _check(given: Sequence[str], made: Sequence[str]) -> None:
    """All are compared, each in constant time."""
    same = [
        hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
        for one in given
        for other in made
    ]
    if not any(same):
        raise SignatureInvalid


def _check_time(stamp: str, now: datetime) -> None:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise SignatureInvalid
    if abs(now.timestamp() - int(stamp)) > WINDOW:
        raise SignatureInvalid(detail="outside of the window")


def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()


def _mac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _hash(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _word(body: bytes, name: str, most: int = 60) -> str:
    try:
        found: Any = orjson.loads(body)
    except ValueError:
        return ""
    value = found.get(name) if isinstance(found, dict) else None
    is_word = isinstance(value, str) and value.isprintable() and len(value) <= most
    return str(value) if is_word else ""
