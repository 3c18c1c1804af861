"""What Twilio tells of a message. It signs the address and the form, but no time: an event counts
once by the message's id and status."""

import base64
import hashlib
import hmac
from typing import Final

from integrations_app.errors import SignatureInvalid
from integrations_app.providers.base import Account, Request, StatusEvent
from integrations_app.providers.twilio.api import NO_TARGET, UNSUBSCRIBED
from integrations_app.types import DeliveryStatus, Reason
from one_project.common.errors import InvalidInput

_ON_ITS_WAY: Final = ("accepted", "scheduled", "queued", "sending", "sent")


def verify(account: Account, request: Request) -> None:
    """Raises SignatureInvalid."""
    signed = request.url + "".join(f"{key}{request.form[key]}" for key in sorted(request.form))
    token = account.credentials.auth_token.get_secret_value()
    made = base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest())
    given = request.headers.get("x-twilio-signature", "").encode("utf-8", "replace")
    # Another account's message, though signed, is none of ours.
    is_ours = request.form.get("AccountSid") == account.settings.account_sid
    if not hmac.compare_digest(given, made) or not is_ours:
        raise SignatureInvalid


def parse(request: Request) -> list[StatusEvent]:
    """Raises InvalidInput."""
    form = request.form
    message = form.get("MessageSid") or form.get("SmsSid") or ""
    said = (form.get("MessageStatus") or form.get("SmsStatus") or "").lower()
    if not message or not said:
        raise InvalidInput("This is not the status of a message.")
    code = form.get("ErrorCode", "")
    number = int(code) if code.isascii() and code.isdigit() and len(code) < 7 else 0
    status, reason = _meaning(said, number)
    if reason is None:
        return []
    return [
        StatusEvent(
            external_id=f"{message}:{said}"[:200],
            message_id=message,
            status=status,
            reason=reason,
            text=f"Twilio's code {number}" if number else "",
            body={"status": said[:20], "error_code": number or None},
        )
    ]


def _meaning(said: str, code: int) -> tuple[DeliveryStatus | None, Reason | None]:
    if said in _ON_ITS_WAY:
        return DeliveryStatus.ACCEPTED, Reason.SENT
    if said == "delivered":
        return DeliveryStatus.DELIVERED, Reason.DELIVERED
    if said == "read":
        return DeliveryStatus.DELIVERED, Reason.OPENED
    if said not in ("undelivered", "failed", "canceled"):
        return None, None
    if code in UNSUBSCRIBED:
        return DeliveryStatus.FAILED, Reason.UNSUBSCRIBED
    if code in NO_TARGET:
        return DeliveryStatus.BOUNCED, Reason.BOUNCED
    return DeliveryStatus.FAILED, Reason.PROVIDER_REFUSED
