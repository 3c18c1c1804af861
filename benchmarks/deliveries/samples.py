"""Providers that post to the trial's receiver, one of them with a key that is taken."""

from typing import ClassVar

from pydantic import SecretStr

from integrations_app.errors import (
    AddressRefused,
    BadAddress,
    NotReached,
    OutcomeUnknown,
    Permanent,
    RequestFailed,
    Transient,
)
from integrations_app.providers.base import (
    Accepted,
    Account,
    Content,
    Form,
    Provider,
    Target,
    register,
)
from integrations_app.providers.http import fetch
from integrations_app.types import ChannelType, EndpointType


class Where(Form):
    url: str


class Key(Form):
    key: SecretStr


@register
class TrialHttp(Provider):
    """Through the one door, like everything else."""

    slug: ClassVar[str] = "trial_http"
    title = "Trial"
    channel_type = ChannelType.EMAIL
    endpoint_types = (EndpointType.EMAIL,)
    settings_model = Where
    credentials_model = Key
    is_internal = True

    async def test_connection(self, account: Account) -> str:
        return ""

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        try:
            answer = await fetch(
                account.settings.url,
                method="POST",
                json={"key": idempotency_key, "text": content.text},
                headers={"Authorization": f"Bearer {account.credentials.key.get_secret_value()}"},
                timeout=deadline,
            )
        except (AddressRefused, BadAddress) as error:
            raise Permanent(code=error.code) from error
        except NotReached as error:
            raise Transient from error
        except RequestFailed as error:
            raise OutcomeUnknown from error
        if answer.status == 503:
            raise Transient(http_status=503)
        if not answer.is_ok:
            raise OutcomeUnknown(http_status=answer.status)
        return Accepted(message_id=answer.text)


@register
class TrialKeyed(TrialHttp):
    slug = "trial_keyed"
    title = "Trial with keys"
    idempotent = True
