"""Accounts and messages for tests of providers of messages. Not a test module."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from integrations_app.providers import registry  # noqa: F401  registers all of them
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Request,
    Target,
    provider_of,
    validated,
)
from integrations_app.types import EndpointType

HELLO = Content(subject="Hello", text="Good <!channel> & good day.", url="https://example.org/1")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def account_for(
    slug: str,
    settings: Mapping[str, Any],
    credentials: Mapping[str, Any],
    token: Mapping[str, Any] | None = None,
) -> Account:
    """Raises InvalidSettings."""
    provider = provider_of(slug)
    return Account(
        integration_id=UUID(int=1),
        organisation_id=UUID(int=2),
        settings=validated(provider.settings_model, settings),
        credentials=validated(provider.credentials_model, credentials),
        token=token or {},
    )


async def send(
    slug: str,
    account: Account,
    target: Target,
    content: Content = HELLO,
    *,
    key: str = "msg-1",
    deadline: float = 5.0,
) -> Accepted:
    return await provider_of(slug).send(
        account, content, target, idempotency_key=key, deadline=deadline
    )


def place(kind: EndpointType, url: str) -> Target:
    """Whose address is its key."""
    return Target(type=kind, address="•••", secret={"url": url})


def request(
    body: bytes = b"",
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    url: str = "https://one.example/hooks/providers/1/",
    at: datetime = NOW,
) -> Request:
    return Request(
        method="POST",
        url=url,
        headers=headers or {},
        body=body,
        form=form or {},
        received_at=at,
    )


def whole_chain(error: BaseException) -> str:
    """Everything a log could show of an error: its causes, contexts and values."""
    shown: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        shown += [repr(seen), str(seen), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(shown)
