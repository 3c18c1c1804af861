"""What Telegram needs: the token of a bot."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from integrations_app.providers.base import Form

_TOKEN: Final = re.compile(r"\d{5,15}:[A-Za-z0-9_-]{30,80}")


def _bots(token: SecretStr) -> SecretStr:
    # It becomes part of the address that is asked.
    text = token.get_secret_value().strip()
    if not _TOKEN.fullmatch(text):
        raise ValueError("must look like 123456789:AA…, as @BotFather has shown it")
    return SecretStr(text)


class TelegramSettings(Form):
    silent: bool = Field(
        default=False, title="Without a sound", description="Phones show messages, and stay quiet."
    )


class TelegramCredentials(Form):
    bot_token: Annotated[SecretStr, AfterValidator(_bots)] = Field(
        title="Token of the bot", description="From @BotFather.", max_length=200
    )
