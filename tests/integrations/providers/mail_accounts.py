"""Accounts and letters for tests of mail providers. Not a test module."""

from typing import Any
from uuid import UUID

from integrations_app.providers.base import Account, Content, Target, provider_of, validated
from integrations_app.types import EndpointType

LETTER = Content(subject="Hello", text="Good day.", html="<p>Good day.</p>")
READER = Target(type=EndpointType.EMAIL, address="reader@example.org", name="A reader")
SENDER = {"from_email": "sender@example.org", "from_name": "Sender"}


def account_for(slug: str, settings: dict[str, Any], credentials: dict[str, Any]) -> Account:
    provider = provider_of(slug)
    return Account(
        integration_id=UUID(int=1),
        organisation_id=UUID(int=2),
        settings=validated(provider.settings_model, {**SENDER, **settings}),
        credentials=validated(provider.credentials_model, credentials),
    )


async def sent(account: Account, slug: str, **options: Any) -> Any:
    """Send the usual letter."""
    given = {"content": LETTER, "target": READER, "key": "key-1", "deadline": 5.0, **options}
    return await provider_of(slug).send(
        account,
        given["content"],
        given["target"],
        idempotency_key=given["key"],
        deadline=given["deadline"],
    )


def whole_chain(error: BaseException) -> str:
    """Everything a log or a trace could show of an error: its causes, contexts and frames."""
    shown: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        shown += [repr(seen), str(seen), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(shown)
