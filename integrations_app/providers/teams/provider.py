"""Microsoft Teams: a card for a workflow, which posts it to its channel. The id is the run's."""

from typing import Any, Final

from integrations_app.errors import BadTarget
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Provider,
    Target,
    register,
)
from integrations_app.providers.posting import asked, check_answer, cut, secret_url
from integrations_app.providers.teams.forms import is_workflow
from integrations_app.types import ChannelType, EndpointType

# Of 28 KB for all of a card.
MAX_CHARS: Final = 6_000


@register
class Teams(Provider):
    slug = "teams"
    title = "Microsoft Teams"
    description = "Messages to channels and chats, each through a workflow of its own."
    channel_type = ChannelType.CHAT
    endpoint_types = (EndpointType.TEAMS_WEBHOOK,)

    async def test_connection(self, account: Account) -> str:
        return (
            "Ready. Each workflow's address is added as a place, and tried by what is sent there."
        )

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        url = secret_url(target.secret)
        if not is_workflow(url):
            raise BadTarget("This is not the address of a Teams workflow.", code="no_workflow")
        card = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": card_of(content),
        }
        body = {"type": "message", "attachments": [card]}
        found = await asked(url, deadline=deadline, method="POST", json=body)
        check_answer(found, key_in_url=True)
        return Accepted(message_id=found.headers.get("x-ms-workflow-run-id", "")[:200])


def card_of(content: Content) -> dict[str, Any]:
    """An adaptive card; texts of a card know a little Markdown, which is left as it is."""
    parts: list[dict[str, Any]] = []
    if content.subject:
        parts.append(_block(content.subject, weight="bolder", size="medium"))
    if content.text:
        parts.append(_block(content.text))
    card: dict[str, Any] = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": parts,
    }
    if content.url.startswith(("https://", "http://")):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": content.url}]
    return card


def _block(text: str, **look: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": cut(text, MAX_CHARS), "wrap": True, **look}
