"""What a provider is: a class in the registry, one folder each.

A provider says by pydantic models what it needs (forms and validation come from them; ``SecretStr``
marks what is never shown), sends one message, tries its credentials, and reads what its webhooks
tell. It writes no rows. All requests go through the doors in this package (``http``, ``sync_http``,
``smtp_door``).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from integrations_app.errors import InvalidSettings, SignatureInvalid, UnknownProvider
from integrations_app.types import ChannelType, DeliveryStatus, EndpointType, Reason


class Form(BaseModel):
    """Base of settings and credentials: titles and descriptions of fields are shown to people."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)


class NoSettings(Form):
    """For providers that need none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An integration, opened for one use: ``settings`` and ``credentials`` are instances of the
    provider's models, ``token`` that of the connection, if one is used. Never logged or stored."""

    integration_id: UUID
    organisation_id: UUID
    settings: Any = field(default=None, repr=False)
    credentials: Any = field(default=None, repr=False)
    token: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Content(BaseModel):
    """What is said. ``text`` is plain; ``html`` only where the channel takes it; ``url`` absolute.

    ``thread``: the provider's id of a message to answer to (Slack's ts, a Message-ID).
    """

    model_config = ConfigDict(extra="forbid")

    text: str = ""
    subject: str = ""
    html: str = ""
    url: str = ""
    thread: str = ""
    data: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where it goes: ``address`` in the form of ``type``; ``secret`` where that is the address."""

    type: EndpointType
    address: str
    secret: Mapping[str, Any] = field(default_factory=dict, repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider has it. ``message_id``: its id, "" where it gives none."""

    message_id: str = ""
    status: DeliveryStatus = DeliveryStatus.ACCEPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A webhook as it came in: ``body`` raw, header names in lower case, ``url`` absolute."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    form: Mapping[str, str] = field(default_factory=dict)
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvent:
    """What a webhook tells of one message. ``external_id``: of the event; by it, it counts once."""

    external_id: str
    message_id: str
    status: DeliveryStatus | None
    reason: Reason
    text: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


class Provider(ABC):
    """One service. Subclasses are registered by ``@register`` and made once.

    ``idempotent``: it takes a key, so that an attempt whose outcome is unknown may be repeated
    with the same key. ``endpoint_types``: addresses it sends to. ``uses_connections``: it acts
    through accounts linked by OAuth (see ``oauth``). ``has_webhook``: it tells what became of a
    message, at ``/hooks/providers/<integration>/``.
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str] = ""
    channel_type: ClassVar[ChannelType]
    endpoint_types: ClassVar[Sequence[EndpointType]] = ()
    settings_model: ClassVar[type[Form]] = NoSettings
    credentials_model: ClassVar[type[Form]] = NoSettings
    idempotent: ClassVar[bool] = False
    uses_connections: ClassVar[bool] = False
    has_webhook: ClassVar[bool] = False
    # Kept for the operator's accounts; people cannot set it up.
    is_internal: ClassVar[bool] = False

    @abstractmethod
    async def test_connection(self, account: Account) -> str:
        """Try the credentials without sending anything; a sentence about what was found.

        Raises the errors of ``send``.
        """

    @abstractmethod
    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        """Hand over one message within ``deadline`` seconds.

        Raises Transient (surely not sent: may be tried again), RateLimited, AuthFailed, Permanent
        (will never be taken), BadTarget (this address never will), OutcomeUnknown (it may have been
        sent: a time-out after the request was written, a 5xx where the provider says nothing of
        it).
        """

    def verify_webhook(self, account: Account, request: Request) -> None:
        """Raises SignatureInvalid unless the provider sent this, now."""
        raise SignatureInvalid

    def parse_status(self, account: Account, request: Request) -> list[StatusEvent]:
        """What a verified webhook tells. Raises InvalidInput for what is none."""
        return []

    def check_settings(self, settings: Any) -> None:  # noqa: B027
        """Have hosts and addresses in settings looked at when they are saved (they are looked at
        again at each sending). Raises BadAddress, AddressRefused, InvalidSettings."""


_providers: dict[str, Provider] = {}


def register(provider: type[Provider]) -> type[Provider]:
    """Make a provider known. Raises TypeError when its slug is taken."""
    known = _providers.get(provider.slug)
    if known is not None and type(known).__qualname__ != provider.__qualname__:
        raise TypeError(f"two providers are called {provider.slug}")
    _providers[provider.slug] = provider()
    return provider


def provider_of(slug: str) -> Provider:
    """Raises UnknownProvider."""
    found = _providers.get(slug)
    if found is None:
        raise UnknownProvider(detail=slug[:40])
    return found


def providers(channel_type: str = "") -> list[Provider]:
    """All of them, or those of one channel type, by title."""
    found = [one for one in _providers.values() if channel_type in ("", one.channel_type)]
    return sorted(found, key=lambda one: one.title.lower())


def validated(model: type[Form], values: Mapping[str, Any]) -> Form:
    """``values`` as an instance. Raises InvalidSettings: problems by field, without values."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidSettings(
            {".".join(str(part) for part in one["loc"]) or "": one["msg"] for one in problems}
        ) from None


def plain(form: Form) -> dict[str, Any]:
    """As JSON, secrets opened: for sealing only."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in form.model_dump(mode="python").items()
    }


def hint_of(form: Form) -> str:
    """What tells credentials apart without showing them: the last four of the first long secret."""
    for value in dict(form).values():
        secret = value.get_secret_value() if isinstance(value, SecretStr) else ""
        if secret:
            return f"••••{secret[-4:]}" if len(secret) >= 12 else "••••"
    return ""
