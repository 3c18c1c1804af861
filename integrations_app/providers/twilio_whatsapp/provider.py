"""WhatsApp through Twilio: free text within 24 hours of theirs, else by a template."""

import json
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
from integrations_app.providers.posting import cut, titled, with_link
from integrations_app.providers.twilio import api
from integrations_app.providers.twilio_whatsapp import webhooks
from integrations_app.providers.twilio_whatsapp.forms import TwilioCredentials, WhatsAppSettings
from integrations_app.types import ChannelType, EndpointType

MAX_CHARS: Final = 1_600


@register
class TwilioWhatsApp(Provider):
    slug = "twilio_whatsapp"
    title = "WhatsApp (Twilio)"
    description = "Messages in WhatsApp."
    channel_type = ChannelType.CHAT
    endpoint_types = (EndpointType.WHATSAPP,)
    settings_model = WhatsAppSettings
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
        number = target.address.removeprefix("whatsapp:")
        api.check_number(account, number)
        text = cut(with_link(titled(content.subject, content.text), content.url), MAX_CHARS)
        fields = {"To": f"whatsapp:{number}", "From": f"whatsapp:{account.settings.sender}"}
        if account.settings.template_sid:
            fields["ContentSid"] = account.settings.template_sid
            # In a place of a template no line may break.
            fields["ContentVariables"] = json.dumps({"1": " ".join(text.split())})
        else:
            fields["Body"] = text
        return await api.send(account, fields, deadline)

    def verify_webhook(self, account: Account, request: Request) -> None:
        webhooks.verify(account, request)

    def parse_status(self, account: Account, request: Request) -> list[StatusEvent]:
        return webhooks.parse(request)
