"""What Discord needs: the webhook of a channel, which is a place of the integration."""

import re
from typing import Final

from pydantic import Field, field_validator

from integrations_app.providers.base import Form

_WEBHOOK: Final = re.compile(
    r"https://(?:(?:ptb|canary)\.)?discord(?:app)?\.com/api(?:/v\d{1,2})?"
    r"/webhooks/(\d{5,25})/([A-Za-z0-9_-]{20,200})/?"
)


class DiscordSettings(Form):
    username: str = Field(
        default="",
        title="Shown as",
        description="A name instead of the webhook's; without “discord” in it.",
        max_length=80,
    )

    @field_validator("username")
    @classmethod
    def _not_theirs(cls, name: str) -> str:
        if "discord" in name.lower() or not name.isprintable():
            raise ValueError("Discord takes no name with “discord” in it.")
        return name


def parts_of(url: str) -> tuple[str, str] | None:
    """Id and token of a webhook's address; None for what is none."""
    found = _WEBHOOK.fullmatch(url)
    return (found[1], found[2]) if found else None
