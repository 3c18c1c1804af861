"""Push to browsers: encrypted for one browser, signed with the integration's key."""

import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from py_vapid import Vapid02  # type: ignore[import-untyped]
from pywebpush import WebPusher  # type: ignore[import-untyped]

from integrations_app.errors import BadTarget
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Provider,
    Target,
    register,
)
from integrations_app.providers.posting import asked, check_answer, cut
from integrations_app.providers.web_push.forms import (
    WebPushCredentials,
    WebPushSettings,
    public_key,
)
from integrations_app.types import ChannelType, EndpointType

# Before it is encrypted; services of push take 4 KB of what comes out.
MAX_BYTES: Final = 3_000
# Seconds the service keeps it for a browser that is switched off.
TTL: Final = 24 * 3600
_SIGNED_FOR: Final = 12 * 3600


@register
class WebPush(Provider):
    slug = "web_push"
    title = "Browser push"
    description = "Notifications of the browser, also while no page is open."
    channel_type = ChannelType.PUSH
    endpoint_types = (EndpointType.WEB_PUSH,)
    settings_model = WebPushSettings
    credentials_model = WebPushCredentials

    async def test_connection(self, account: Account) -> str:
        key = public_key(account.credentials.vapid_key.get_secret_value())
        return f"Ready. Browsers subscribe with this public key: {key}"

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        url, body = _encrypted(target.secret, payload_of(content))
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(TTL),
            **_signature(account, url),
        }
        found = await asked(url, deadline=deadline, method="POST", content=body, headers=headers)
        if found.status in (404, 410):
            raise BadTarget(
                "The browser has unsubscribed.", code="unsubscribed", http_status=found.status
            )
        check_answer(found)
        return Accepted(message_id=_last_part(found.headers.get("location", "")))


def payload_of(content: Content) -> bytes:
    """JSON with title, body and url, 3 KB at most: the body is what gets shorter."""
    title = cut(content.subject or content.text, 120)
    url = content.url if len(content.url) <= 1_000 else ""
    text = content.text
    while True:
        packed = orjson.dumps({"title": title, "body": text, "url": url})
        if len(packed) <= MAX_BYTES or not text:
            return packed
        text = text[: len(text) - max((len(packed) - MAX_BYTES) // 4, 1)]


def _encrypted(subscription: Mapping[str, Any], payload: bytes) -> tuple[str, bytes]:
    try:
        url = str(subscription["endpoint"])
        made = WebPusher(dict(subscription)).encode(payload, content_encoding="aes128gcm")
        return url, bytes(made["body"])
    except Exception:
        # Of the library, of cryptography, or a part that is missing: all about this subscription.
        raise BadTarget("The browser's subscription cannot be used.", code="no_keys") from None


def _signature(account: Account, url: str) -> dict[str, str]:
    parts = urlsplit(url)
    key = Vapid02.from_raw(account.credentials.vapid_key.get_secret_value().encode())
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "sub": f"mailto:{account.settings.contact}",
        "exp": int(time.time()) + _SIGNED_FOR,
    }
    headers: dict[str, str] = key.sign(claims)
    return headers


def _last_part(location: str) -> str:
    """Of the message's address at the service, which is a key by itself, the id."""
    return location.rstrip("/").rpartition("/")[2][:200]
