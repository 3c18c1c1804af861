"""What Stripe tells of payments: signed over time and body, five minutes at most on its way."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

import orjson

from integrations_app.errors import SignatureInvalid
from integrations_app.providers.base import Request
from integrations_app.providers.payments import PaymentEvent
from integrations_app.providers.signatures import WINDOW

# Their codes of declined payments, in words; of others it is only said that it did not go through.
DECLINED: Final = {
    "card_declined": "The card was declined.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The card's security code is wrong.",
    "insufficient_funds": "There was not enough money on the account.",
    "authentication_required": "The bank asked for a confirmation that did not come.",
    "payment_intent_authentication_failure": "The bank's confirmation failed.",
    "processing_error": "The card could not be processed.",
}
MOST_ID: Final = 200
FAILED: Final = "The payment did not go through."


def verify(secret: str, request: Request) -> None:
    """Raises SignatureInvalid unless a v1 signature of ``Stripe-Signature`` holds, now."""
    if not secret:
        raise SignatureInvalid("No signing secret is set.")
    stamps, given = [], []
    for part in request.headers.get("stripe-signature", "")[:4_000].split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            stamps.append(value)
        elif name == "v1":
            given.append(value)
    stamp = stamps[0] if len(stamps) == 1 else ""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise SignatureInvalid
    if abs(request.received_at.timestamp() - int(stamp)) > WINDOW:
        raise SignatureInvalid(detail="outside of the window")
    made = hmac.new(secret.encode(), stamp.encode() + b"." + request.body, hashlib.sha256)
    # All are compared, each in constant time.
    same = [hmac.compare_digest(one.encode("utf-8", "replace"), made.hexdigest().encode())
            for one in given[:10]]  # fmt: skip
    if not any(same):
        raise SignatureInvalid


def parse(body: bytes) -> list[PaymentEvent]:
    """Raises LookupError, ValueError or TypeError for what is no event of theirs."""
    event = orjson.loads(body)
    event_id, kind, held = _word(event["id"]), str(event["type"]), event["data"]["object"]
    if not isinstance(held, dict):
        raise TypeError("no object")
    found = _of(event_id, kind, held)
    return [found] if found is not None else []


def _of(event_id: str, kind: str, held: Mapping[str, Any]) -> PaymentEvent | None:
    if kind == "payment_intent.payment_failed":
        return PaymentEvent(
            external_id=event_id, kind="failed", payment_id=_ours(held), reason=_why(held)
        )
    if not kind.startswith("checkout.session."):
        return None
    ref, what = _word(held["id"]), kind.removeprefix("checkout.session.")
    if what in ("completed", "async_payment_succeeded"):
        # Some ways to pay take days: then "completed" says that it was tried; money comes later.
        if held.get("payment_status") != "paid":
            return None
        return PaymentEvent(
            external_id=event_id,
            kind="paid",
            ref=ref,
            payment_id=_ours(held),
            cents=_cents(held["amount_total"]),
            currency=_word(held["currency"]).upper(),
        )
    if what == "async_payment_failed":
        return PaymentEvent(
            external_id=event_id, kind="failed", ref=ref, reason=FAILED, is_closed=True
        )
    if what == "expired":
        return PaymentEvent(external_id=event_id, kind="expired", ref=ref)
    return None


def _ours(held: Mapping[str, Any]) -> str:
    metadata = held.get("metadata")
    return str(metadata.get("payment") or "") if isinstance(metadata, dict) else ""


def _word(value: Any) -> str:
    """An id of theirs, as rows hold it."""
    if not isinstance(value, str) or not 0 < len(value) <= MOST_ID or not value.isprintable():
        raise ValueError("no id")
    return value


def _cents(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("no amount")
    return value


def _why(held: Mapping[str, Any]) -> str:
    error = held.get("last_payment_error")
    if not isinstance(error, dict):
        return FAILED
    codes = (error.get("decline_code"), error.get("code"))
    return next((DECLINED[one] for one in codes if one in DECLINED), FAILED)
