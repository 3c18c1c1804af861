"""The signature of what we send, by Standard Webhooks. Pure."""

import base64
import hashlib
import hmac

from integrations_app.providers.webhook.forms import key_of


def signed(secret: str, message_id: str, moment: int, body: bytes) -> dict[str, str]:
    """The headers of a request. moment: seconds since 1970."""
    message = f"{message_id}.{moment}.".encode() + body
    made = hmac.new(key_of(secret), message, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(moment),
        "webhook-signature": f"v1,{base64.b64encode(made).decode()}",
    }
