"""Smaller services, sent to by Apprise: it gives no ids, so that a message is accepted at best."""

from typing import Any

from integrations_app.errors import OutcomeUnknown, Permanent, SendError, Transient
from integrations_app.providers.apprise_service.door import Talk, begin
from integrations_app.providers.apprise_service.forms import (
    ChatSettings,
    PushSettings,
    ServiceCredentials,
    check,
)
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Provider,
    Target,
    register,
)
from integrations_app.providers.mail.refusals import meaning, wait_of
from integrations_app.providers.posting import with_link
from integrations_app.providers.threads import in_own_thread
from integrations_app.types import ChannelType, EndpointType


class _Service(Provider):
    endpoint_types = (EndpointType.APPRISE,)
    credentials_model = ServiceCredentials

    async def test_connection(self, account: Account) -> str:
        return "Saved. These services can only be tried by a message."

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        settings = account.settings
        token = account.credentials.token.get_secret_value()
        fields = (settings.service, settings.server, target.address or settings.to, settings.user)
        text = with_link(content.text or content.subject, content.url)
        title = content.subject if content.text else ""
        await in_own_thread(_send, fields, token, title, text, deadline)
        return Accepted()

    def check_settings(self, settings: Any) -> None:
        check(settings)


@register
class ServicePush(_Service):
    slug = "service_push"
    title = "ntfy, Gotify, Pushover, Pushbullet"
    description = "Notifications on phones and desktops."
    channel_type = ChannelType.PUSH
    settings_model = PushSettings


@register
class ServiceChat(_Service):
    slug = "service_chat"
    title = "Mattermost, Rocket.Chat, Zulip, Matrix"
    description = "Messages to channels and rooms."
    channel_type = ChannelType.CHAT
    settings_model = ChatSettings


def _send(
    fields: tuple[str, str, str, str], token: str, title: str, text: str, deadline: float
) -> None:
    """Blocks. Raises the errors of sending."""
    # Takes a second and 20 MB, which processes that send nothing can do without.
    from integrations_app.providers.apprise_service.plugins import plugin_of

    talk = begin(deadline)
    try:
        is_sent = plugin_of(*fields, token).notify(body=text, title=title)
    except TypeError:  # what it raises for fields it does not take
        raise Permanent("The service does not take these settings.", code="settings") from None
    if not is_sent:
        raise _meant(talk)


def _meant(talk: Talk) -> SendError:
    if talk.refused is not None:
        return Permanent(talk.refused.user_message, code=talk.refused.code)
    if talk.status:
        return meaning(talk.status, retry_after=wait_of(talk.headers))
    if talk.is_silent:
        return OutcomeUnknown()
    if talk.is_unreachable:
        return Transient()
    return Permanent("The service does not take this receiver or these settings.", code="settings")
