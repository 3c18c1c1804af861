"""Discord: posts through the webhook of a channel; no message calls people (``@everyone``)."""

from typing import Any, Final

from integrations_app.errors import BadTarget
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    NoSettings,
    Provider,
    Target,
    register,
)
from integrations_app.providers.discord.forms import DiscordSettings, parts_of
from integrations_app.providers.places import base_url
from integrations_app.providers.posting import (
    answer_of,
    asked,
    check_answer,
    cut,
    secret_url,
    titled,
    with_link,
)
from integrations_app.types import ChannelType, EndpointType

MAX_CHARS: Final = 2_000


@register
class Discord(Provider):
    slug = "discord"
    title = "Discord"
    description = "Messages to channels, each through a webhook of its own."
    channel_type = ChannelType.CHAT
    endpoint_types = (EndpointType.DISCORD_WEBHOOK,)
    settings_model = DiscordSettings
    credentials_model = NoSettings

    async def test_connection(self, account: Account) -> str:
        return "Ready. Each channel's webhook is added as a place, and tried by what is sent there."

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        parts = parts_of(secret_url(target.secret))
        if parts is None:
            raise BadTarget("This is not the address of a Discord webhook.", code="no_webhook")
        text = with_link(titled(content.subject, content.text), content.url)
        body: dict[str, Any] = {
            "content": cut(text, MAX_CHARS),
            "allowed_mentions": {"parse": []},
        }
        if account.settings.username:
            body["username"] = account.settings.username
        found = await asked(
            f"{base_url('discord')}/api/v10/webhooks/{parts[0]}/{parts[1]}",
            deadline=deadline,
            method="POST",
            params={"wait": "true"},
            json=body,
        )
        check_answer(found, key_in_url=True)
        return Accepted(message_id=str(answer_of(found).get("id") or ""))
