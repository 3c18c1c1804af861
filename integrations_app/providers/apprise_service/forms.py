"""What the smaller services need: which one, where it runs, to whom, and its key."""

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from integrations_app.errors import InvalidSettings
from integrations_app.providers.base import Form
from integrations_app.providers.http import check_address

_TO: Final = re.compile(r"[#@!]?[\w.:+-]{1,120}")
_WORD: Final = re.compile(r"[\w.-]{1,64}(@[\w.-]{1,120})?")

PushService = Literal["ntfy", "gotify", "pushover", "pushbullet"]
ChatService = Literal["mattermost", "rocketchat", "zulip", "matrix"]
# Those that run on a server of the organisation; ntfy also has one for all.
SELF_HOSTED: Final = frozenset(("gotify", "mattermost", "rocketchat", "matrix"))
MAY_BE_HOSTED: Final = SELF_HOSTED | {"ntfy"}
NEED_RECEIVER: Final = frozenset(("ntfy", "pushover", "zulip", "matrix"))


def _to(text: str) -> str:
    # Apprise would take blanks and commas for several receivers.
    if text and not _TO.fullmatch(text):
        raise ValueError("must be one name without blanks")
    return text


def _user(text: str) -> str:
    if text and not _WORD.fullmatch(text):
        raise ValueError("must be one name without blanks")
    return text


def _server(text: str) -> str:
    if not text:
        return text
    parts = urlsplit(text)
    is_bare = not (parts.query or parts.fragment or parts.username or parts.password)
    path = parts.path.strip("/")
    if parts.scheme not in ("https", "http") or not parts.hostname or not is_bare:
        raise ValueError("must be an address such as https://chat.example.org")
    if path and not re.fullmatch(r"[\w./-]{1,100}", path):
        raise ValueError("has a path that cannot be used")
    return text.rstrip("/")


class _Settings(Form):
    service: str = Field(title="Service")
    server: Annotated[str, AfterValidator(_server)] = Field(
        default="",
        title="Server",
        description="Of services you run yourself: https://chat.example.org.",
        max_length=300,
    )
    to: Annotated[str, AfterValidator(_to)] = Field(
        default="",
        title="To",
        description="Topic, channel (#name), room or key of the receiver, where a message names "
        "none.",
        max_length=120,
    )
    user: Annotated[str, AfterValidator(_user)] = Field(
        default="",
        title="Bot",
        description="Zulip only: the address of the bot, alerts-bot@example.zulipchat.com.",
        max_length=190,
    )


class PushSettings(_Settings):
    service: PushService = Field(title="Service")


class ChatSettings(_Settings):
    service: ChatService = Field(title="Service")


class ServiceCredentials(Form):
    token: SecretStr = Field(
        default=SecretStr(""),
        title="Key",
        description="Token of the app, the bot or the incoming webhook; public topics of ntfy "
        "need none.",
        max_length=500,
    )


def check(values: Any) -> None:
    """That the fields fit the service. Raises InvalidSettings, BadAddress, AddressRefused."""
    problems: dict[str, str] = {}
    if values.service in SELF_HOSTED and not values.server:
        problems["server"] = "This service runs on a server of yours: which?"
    if values.server and values.service not in MAY_BE_HOSTED:
        problems["server"] = "This service has one server for all; leave this empty."
    if values.service == "zulip" and "@" not in values.user:
        problems["user"] = "The address of the bot, such as alerts-bot@example.zulipchat.com."
    if values.service in NEED_RECEIVER and not values.to:
        problems["to"] = "Please fill this in."
    if problems:
        raise InvalidSettings(problems)
    if values.server:
        check_address(values.server)
