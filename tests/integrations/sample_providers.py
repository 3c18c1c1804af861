"""Providers for tests of what is above them: they post to loopback. Not a test module."""

import hashlib
import hmac
import json
from typing import Any, ClassVar

from pydantic import SecretStr

from integrations_app.errors import (
    AuthFailed,
    BadTarget,
    NotReached,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    RequestFailed,
    SignatureInvalid,
    Transient,
)
from integrations_app.models import Integration
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Form,
    Provider,
    Request,
    StatusEvent,
    Target,
    register,
)
from integrations_app.providers.http import Fetched, fetch
from integrations_app.types import ChannelType, DeliveryStatus, EndpointType, Reason

KEY = "canary-sample-key-0123456789"


class Where(Form):
    url: str = "http://127.0.0.1:9/"


class Key(Form):
    key: SecretStr


@register
class Sample(Provider):
    """Takes no key: what is not known to have been sent stays unknown."""

    slug: ClassVar[str] = "sample"
    title = "Sample"
    channel_type = ChannelType.EMAIL
    endpoint_types = (EndpointType.EMAIL,)
    settings_model = Where
    credentials_model = Key
    has_webhook = True
    is_internal = True

    async def test_connection(self, account: Account) -> str:
        return "It works."

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        try:
            answer = await fetch(
                account.settings.url,
                method="POST",
                json={"key": idempotency_key, "to": target.address, "text": content.text},
                timeout=deadline,
                allow_private=True,
            )
        except NotReached as error:
            raise Transient from error
        except RequestFailed as error:
            raise OutcomeUnknown from error
        return _read(answer)

    def verify_webhook(self, account: Account, request: Request) -> None:
        if not hmac.compare_digest(sign(request.body), request.headers.get("x-sign", "")):
            raise SignatureInvalid

    def parse_status(self, account: Account, request: Request) -> list[StatusEvent]:
        return [
            StatusEvent(
                external_id=one["id"],
                message_id=one["message"],
                status=DeliveryStatus(one["status"]) if one.get("status") else None,
                reason=Reason(one["reason"]),
                body=one,
            )
            for one in json.loads(request.body)
        ]


@register
class KeyedSample(Sample):
    """Takes our key: an attempt whose outcome is unknown may be repeated."""

    slug = "sample_keyed"
    title = "Sample with keys"
    idempotent = True


@register
class SampleSms(Sample):
    slug = "sample_sms"
    title = "Sample of SMS"
    channel_type = ChannelType.SMS
    endpoint_types = (EndpointType.PHONE,)


def sign(body: bytes) -> str:
    return hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()


def _read(answer: Fetched) -> Accepted:
    status = answer.status
    if status == 429:
        raise RateLimited(7.0, http_status=status)
    if status == 401:
        raise AuthFailed(http_status=status)
    if status == 410:
        raise BadTarget(http_status=status)
    if status == 503:
        raise Transient(http_status=status)
    if status >= 500:
        raise OutcomeUnknown(http_status=status)
    if status >= 400:
        raise Permanent(http_status=status, code="refused")
    return Accepted(message_id=answer.text)


def make_integration(organisation: Any, **changes: Any) -> Integration:
    """An active one of the house, through ``sample``."""
    values: dict[str, Any] = {
        "organisation": organisation,
        "name": "Sample",
        "provider": "sample",
        "channel_type": "email",
        "settings": {},
        "credentials": {"key": KEY},
        "status": "active",
    }
    return Integration.objects.create(**{**values, **changes})
