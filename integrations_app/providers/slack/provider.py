"""Slack: messages to channels and people. The id of a message is its ``ts``, which answers name.

The token of a connection comes before the bot's: then the message is the person's own.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from integrations_app.errors import (
    AddressRefused,
    AuthFailed,
    BadAddress,
    BadTarget,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    SendError,
    Transient,
)
from integrations_app.providers.aio_session import guarded_aiohttp_session
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Provider,
    Request,
    Target,
    register,
)
from integrations_app.providers.mail.refusals import meaning, wait_of
from integrations_app.providers.places import base_url
from integrations_app.providers.posting import cut, titled, with_link
from integrations_app.providers.slack import webhooks
from integrations_app.providers.slack.forms import SlackCredentials, SlackSettings
from integrations_app.types import ChannelType, EndpointType

MAX_CHARS: Final = 12_000
_TEST_SECONDS: Final = 10.0
_AUTH: Final = frozenset(
    ("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive",
     "missing_scope", "no_permission", "org_login_required", "not_allowed_token_type")
)  # fmt: skip
_TARGET: Final = frozenset(
    ("channel_not_found", "is_archived", "user_not_found", "user_disabled",
     "users_not_found", "cannot_dm_bot", "channel_is_archived", "user_not_visible")
)  # fmt: skip
_LIMIT: Final = frozenset(("ratelimited", "rate_limited", "message_limit_exceeded"))
# Said before anything is done.
_LATER: Final = frozenset(("service_unavailable", "team_added_to_org"))
# The SDK writes what it sends into the log when that is set to show everything.
_quiet = logging.getLogger("one.slack_sdk")
_quiet.setLevel(logging.WARNING)


@register
class Slack(Provider):
    slug = "slack"
    title = "Slack"
    description = "Messages to channels and people, as a bot or through their own accounts."
    channel_type = ChannelType.CHAT
    endpoint_types = (EndpointType.SLACK_CHANNEL, EndpointType.SLACK_USER)
    settings_model = SlackSettings
    credentials_model = SlackCredentials
    uses_connections = True

    async def test_connection(self, account: Account) -> str:
        if not _token(account):
            return "The app is set up; each person links their own account."
        try:
            found = await _called(account, _TEST_SECONDS, lambda client: client.auth_test())
        except OutcomeUnknown:  # it only asks
            raise Transient from None
        return f"Signed in to {found.get('team', '?')} as {found.get('user', '?')}."

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        if not _token(account):
            raise AuthFailed("Nobody has linked a Slack account.", code="not_authed")
        text = with_link(titled(content.subject, content.text), content.url)
        values: dict[str, Any] = {
            "channel": target.address,
            "text": cut(escaped(text), MAX_CHARS),
            "unfurl_links": account.settings.unfurl,
            "unfurl_media": account.settings.unfurl,
        }
        if content.thread:
            values["thread_ts"] = content.thread
        found = await _called(account, deadline, lambda client: client.chat_postMessage(**values))
        return Accepted(message_id=str(found.get("ts") or ""))

    def verify_webhook(self, account: Account, request: Request) -> None:
        webhooks.verify(account.credentials.signing_secret.get_secret_value(), request)


def escaped(text: str) -> str:
    """Without what Slack reads as markup: nobody is called (``<!channel>``, ``<@U1>``), no link
    says another address than it opens."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _token(account: Account) -> str:
    own = str(account.token.get("access_token") or "")
    return own or str(account.credentials.bot_token.get_secret_value())


async def _called(
    account: Account, deadline: float, call: Callable[[AsyncWebClient], Awaitable[Any]]
) -> Any:
    """What the SDK gives, behind the door; what goes wrong becomes the errors of sending."""
    try:
        async with guarded_aiohttp_session(timeout=deadline) as session:
            client = AsyncWebClient(
                token=_token(account),
                base_url=f"{base_url('slack')}/",
                session=session,
                retry_handlers=[],  # whether to try again is decided by deliveries
                logger=_quiet,
            )
            client.proxy = None  # it takes one from the environment
            return await call(client)
    except SlackApiError as error:
        failed: SendError = _meant(error)
    except (AddressRefused, BadAddress) as error:
        failed = Permanent(error.user_message, code=error.code)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        failed = Transient()
    except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError, ValueError):
        failed = OutcomeUnknown()
    # Not where the other is handled: it holds what Slack has said.
    raise failed


def _meant(error: SlackApiError) -> SendError:
    response: Any = error.response
    status = int(getattr(response, "status_code", None) or getattr(response, "status", 0) or 0)
    data = getattr(response, "data", None)
    code = str(data.get("error") or "") if isinstance(data, dict) else ""
    code = code if code.replace("_", "").isalnum() and len(code) <= 60 else ""
    wait = wait_of(getattr(response, "headers", None) or {})
    known: dict[str, Any] = {"code": code, "http_status": status or None}
    if code in _AUTH:
        return AuthFailed(**known)
    if code in _TARGET:
        return BadTarget(**known)
    if code == "not_in_channel":
        # Nothing is wrong with the place: it works once somebody has invited the bot.
        return Permanent("The bot is not in this channel: invite it there.", **known)
    if code in _LIMIT or status == 429:
        return RateLimited(wait, **known)
    if code in _LATER:
        return Transient(**known)
    if status >= 300:
        return meaning(status, code=code, retry_after=wait)
    if code in ("fatal_error", "internal_error", "request_timeout") or not code:
        return OutcomeUnknown(**known)
    return Permanent(**known)
