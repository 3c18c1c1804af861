"""Telegram: messages of a bot to chats it is in, as plain text."""

from typing import Any, Final

from integrations_app.errors import (
    AuthFailed,
    BadTarget,
    Permanent,
    RateLimited,
)
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Provider,
    Target,
    register,
)
from integrations_app.providers.http import Fetched
from integrations_app.providers.places import base_url
from integrations_app.providers.posting import (
    answer_of,
    asked,
    check_answer,
    cut,
    titled,
    with_link,
)
from integrations_app.providers.telegram.forms import TelegramCredentials, TelegramSettings
from integrations_app.types import ChannelType, EndpointType

MAX_CHARS: Final = 4_096
_TEST_SECONDS: Final = 10.0
# It has no codes of its own: these are in its sentences.
_NO_CHAT: Final = (
    "chat not found",
    "peer_id_invalid",
    "group chat was upgraded",
    "chat_id is empty",
)


@register
class Telegram(Provider):
    slug = "telegram"
    title = "Telegram"
    description = "Messages of a bot to people, groups and channels."
    channel_type = ChannelType.CHAT
    endpoint_types = (EndpointType.TELEGRAM_CHAT,)
    settings_model = TelegramSettings
    credentials_model = TelegramCredentials

    async def test_connection(self, account: Account) -> str:
        url = _url(account, "getMe")
        found = await asked(url, deadline=_TEST_SECONDS, is_read=True, method="POST")
        result = _checked(found).get("result")
        name = result.get("username") if isinstance(result, dict) else ""
        return f"Telegram knows the bot: @{str(name or '?')[:64]}."

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        text = with_link(titled(content.subject, content.text), content.url)
        chat: str | int = target.address
        body: dict[str, Any] = {
            "chat_id": int(chat) if target.address.lstrip("-").isdecimal() else chat,
            "text": cut(text, MAX_CHARS),
            "disable_notification": account.settings.silent,
            "link_preview_options": {"is_disabled": True},
        }
        if content.thread.isascii() and content.thread.isdigit():
            body["reply_parameters"] = {
                "message_id": int(content.thread),
                "allow_sending_without_reply": True,
            }
        url = _url(account, "sendMessage")
        answer = _checked(await asked(url, deadline=deadline, method="POST", json=body))
        result = answer.get("result")
        message = result.get("message_id", "") if isinstance(result, dict) else ""
        return Accepted(message_id=str(message))


def _url(account: Account, method: str) -> str:
    token = account.credentials.bot_token.get_secret_value()
    return f"{base_url('telegram')}/bot{token}/{method}"


def _checked(found: Fetched) -> dict[str, Any]:
    answer = answer_of(found)
    if found.is_ok and answer.get("ok") is not False:
        return answer
    said = str(answer.get("description", "")).lower()
    parameters = answer.get("parameters")
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    known: dict[str, Any] = {"code": f"http_{found.status}", "http_status": found.status}
    if found.status in (401, 404):  # 404: no bot has this token
        raise AuthFailed(**known)
    if found.status == 403 or (found.status == 400 and any(one in said for one in _NO_CHAT)):
        raise BadTarget("The bot may not write there, or there is no such chat.", **known)
    if found.status == 429 and isinstance(wait, int | float):
        raise RateLimited(min(max(float(wait), 0.0), 86_400.0), **known)
    check_answer(found)
    raise Permanent(**known)  # good by its status, and yet it says no
