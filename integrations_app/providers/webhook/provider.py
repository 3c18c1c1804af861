"""A signed request to an address. Its id is the idempotency key: a receiver that has seen it does
nothing again, so that it is sent again where it may have been lost."""

import re
from typing import Any, Final

import orjson
from django.utils import timezone

from integrations_app.errors import BadTarget, OutcomeUnknown, Permanent, Transient
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Provider,
    Target,
    register,
)
from integrations_app.providers.mail.refusals import meaning, wait_of
from integrations_app.providers.posting import asked, secret_url
from integrations_app.providers.webhook.forms import WebhookCredentials
from integrations_app.providers.webhook.webhooks import signed
from integrations_app.types import ChannelType, EndpointType

_TYPE: Final = re.compile(r"[a-zA-Z0-9_]{1,60}(\.[a-zA-Z0-9_]{1,60}){0,5}")


@register
class Webhook(Provider):
    slug = "webhook"
    title = "Webhook"
    description = "Signed requests to an address of yours (Standard Webhooks)."
    channel_type = ChannelType.WEBHOOK
    endpoint_types = (EndpointType.WEBHOOK,)
    credentials_model = WebhookCredentials
    idempotent = True

    async def test_connection(self, account: Account) -> str:
        return "Ready to sign. Each address is added as a place, and tried by what is sent there."

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        body = orjson.dumps(body_of(content))
        secret = account.credentials.signing_secret.get_secret_value()
        moment = int(timezone.now().timestamp())
        headers = signed(secret, idempotency_key, moment, body)
        try:
            found = await asked(
                secret_url(target.secret),
                deadline=deadline,
                method="POST",
                content=body,
                headers={"Content-Type": "application/json", **headers},
            )
        except OutcomeUnknown as error:
            raise Transient(code=error.code) from None
        if found.is_ok:
            return Accepted(message_id=idempotency_key)
        known: dict[str, Any] = {"code": f"http_{found.status}", "http_status": found.status}
        if found.status == 410:
            raise BadTarget("This address says that it is gone.", **known)
        # One address that refuses says nothing of the others: never AuthFailed.
        if found.status in (401, 403):
            raise Permanent("The address did not accept the signature.", **known)
        if found.status >= 500 and found.status != 503:
            raise Transient("The address has failed.", **known)
        raise meaning(found.status, retry_after=wait_of(found.headers))


def body_of(content: Content) -> dict[str, Any]:
    """What receivers get: ``type``, ``timestamp`` (ISO 8601) and ``data``."""
    kind = str(content.data.get("type") or "")
    data = {key: value for key, value in content.data.items() if key != "type"}
    words = {"subject": content.subject, "text": content.text, "url": content.url}
    return {
        "type": kind if _TYPE.fullmatch(kind) else "notification",
        "timestamp": timezone.now().isoformat(),
        "data": {**data, **{key: value for key, value in words.items() if value}},
    }
