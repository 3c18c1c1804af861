"""SMTP: letters through a mail server of one's own. It tells nothing of them later."""

from typing import Any

from integrations_app.errors import InvalidSettings, Permanent
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Provider,
    Target,
    register,
)
from integrations_app.providers.http import check_host
from integrations_app.providers.mail.attempt import Attempt, within
from integrations_app.providers.mail.letters import letter, message_id_of
from integrations_app.providers.mail.listed import is_listed
from integrations_app.providers.smtp.conversation import envelope, hand_over, logged_in
from integrations_app.providers.smtp.forms import SmtpCredentials, SmtpSettings
from integrations_app.types import ChannelType, EndpointType

TEST_SECONDS = 15.0


@register
class Smtp(Provider):
    slug = "smtp"
    title = "Mail server (SMTP)"
    description = "E-mail through any mail server."
    channel_type = ChannelType.EMAIL
    endpoint_types = (EndpointType.EMAIL,)
    settings_model = SmtpSettings
    credentials_model = SmtpCredentials

    def check_settings(self, settings: Any) -> None:
        check_host(settings.host, settings.port)
        if settings.security == "none" and not is_listed(settings.host, settings.port):
            raise InvalidSettings(
                {"security": "Without encryption only servers are used that the operator listed."}
            )

    async def test_connection(self, account: Account) -> str:
        def call(attempt: Attempt) -> str:
            _check_security(account.settings)
            server = logged_in(account.settings, account.credentials, attempt.left)
            try:
                return _found(server, account)
            finally:
                server.close()

        return await within(TEST_SECONDS, call)

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        sender = account.settings
        message_id = message_id_of(sender, idempotency_key)
        message = letter(content, target, sender, message_id=message_id).message()
        route = envelope(sender.from_email, target.address)

        def call(attempt: Attempt) -> Accepted:
            _check_security(sender)
            server = logged_in(sender, account.credentials, attempt.left)
            try:
                hand_over(server, route, message, attempt)
            finally:
                # Without QUIT, which may take as long as the server likes: the letter was taken.
                server.close()
            return Accepted(message_id=message_id)

        return await within(deadline, call)


def _found(server: Any, account: Account) -> str:
    how = {"starttls": "with STARTTLS", "tls": "with TLS", "none": "without encryption"}
    login = "the login is good" if account.credentials.username else "no login is set"
    limit = server.esmtp_features.get("size", "")
    most = f"; letters up to {int(limit) // 1_000_000} MB" if limit.isdigit() and int(limit) else ""
    return f"{account.settings.host} answers {how[account.settings.security]}, {login}{most}."


def _check_security(settings: SmtpSettings) -> None:
    # The list may have become shorter since it was saved.
    if settings.security == "none" and not is_listed(settings.host, settings.port):
        raise Permanent("Without encryption only listed servers are used.", code="no_encryption")
