"""SMS through Twilio. It takes no idempotency key: what may have been sent is not sent again."""

from typing import Final

from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Provider,
    Request,
    StatusEvent,
    Target,
    register,
)
from integrations_app.providers.posting import cut, with_link
from integrations_app.providers.twilio import api
from integrations_app.providers.twilio_sms import webhooks
from integrations_app.providers.twilio_sms.forms import SmsSettings, TwilioCredentials
from integrations_app.types import ChannelType, EndpointType

# Ten parts of one message.
MAX_CHARS: Final = 1_600


@register
class TwilioSms(Provider):
    slug = "twilio_sms"
    title = "SMS (Twilio)"
    description = "Text messages to phones."
    channel_type = ChannelType.SMS
    endpoint_types = (EndpointType.PHONE,)
    settings_model = SmsSettings
    credentials_model = TwilioCredentials
    has_webhook = True

    async def test_connection(self, account: Account) -> str:
        return f"Twilio knows the account: {await api.account_name(account)}."

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        api.check_number(account, target.address)
        sender = account.settings.sender
        fields = {
            "To": target.address,
            "MessagingServiceSid" if _is_service(sender) else "From": sender,
            "Body": cut(with_link(content.text or content.subject, content.url), MAX_CHARS),
        }
        return await api.send(account, fields, deadline)

    def verify_webhook(self, account: Account, request: Request) -> None:
        webhooks.verify(account, request)

    def parse_status(self, account: Account, request: Request) -> list[StatusEvent]:
        return webhooks.parse(request)


def _is_service(sender: str) -> bool:
    return sender.startswith("MG") and len(sender) == 34
