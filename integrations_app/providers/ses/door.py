"""boto3 for one message: its requests go through our door, it tries nothing twice, and it reads no
keys but those given."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from anymail.backends.amazon_ses import EmailBackend
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from integrations_app.providers.base import Account
from integrations_app.providers.http import USER_AGENT
from integrations_app.providers.mail.attempt import Attempt
from integrations_app.providers.places import replaced
from integrations_app.providers.sync_http import GuardedSession


class SesBackend(EmailBackend):  # type: ignore[misc]
    """Anymail's, with a client that was made before."""

    def __init__(self, client: Any, configuration_set: str) -> None:
        super().__init__(configuration_set_name=configuration_set or None)
        self.client = client


def client_of(account: Account, attempt: Attempt, session: GuardedSession) -> Any:
    """A client of SES v2. ``attempt.begin()`` is called with its request."""
    base = botocore.session.Session()
    base.register_component("data_loader", _loader())
    keys = account.credentials
    region = account.settings.region
    made = boto3.session.Session(
        botocore_session=base,
        aws_access_key_id=keys.access_key_id.get_secret_value(),
        aws_secret_access_key=keys.secret_access_key.get_secret_value(),
        region_name=region,
    )
    ending = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    client = made.client(
        "sesv2",
        endpoint_url=replaced("ses") or f"https://email.{region}.{ending}",
        config=Config(
            # Nothing is sent twice, not even by boto3.
            retries={"total_max_attempts": 1, "mode": "standard"},
            proxies={},
            ignore_configured_endpoint_urls=True,
            user_agent=USER_AGENT,
        ),
    )

    def through_the_door(request: Any, **_: Any) -> AWSResponse:
        attempt.begin()
        answer = session.request(
            request.method,
            request.url,
            data=request.body,
            headers={name: _text(value) for name, value in request.headers.items()},
            timeout=attempt.left,
            allow_redirects=False,
        )
        return AWSResponse(
            request.url, answer.status_code, _plain(answer.headers), _Body(answer.content)
        )

    # What botocore offers for this: an answer from here is taken instead of asking itself.
    client.meta.events.register_first("before-send.sesv2", through_the_door)
    return client


class _Body:
    """A body that was read, as botocore reads one."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


@cache
def _loader() -> Any:
    # Descriptions of the service are read once: 100 ms each time otherwise.
    return botocore.loaders.create_loader(None)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    # The content was unpacked by the door.
    return {k: v for k, v in headers.items() if k.lower() != "content-encoding"}
