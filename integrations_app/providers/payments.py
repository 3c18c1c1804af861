"""What a provider of payments is: people pay on its page, and it tells what came of it.

It is set up, sealed, tested and removed as any other provider; nothing is sent through it.
"""

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from integrations_app.errors import Permanent
from integrations_app.providers.base import Accepted, Account, Content, Provider, Request, Target
from integrations_app.types import ChannelType


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be paid: ``cents`` of US dollars. ``payment_id``: ours, the same for the same
    attempt; ``expires_at``: after that the page takes no money any more."""

    payment_id: UUID
    invoice_id: UUID
    title: str
    cents: int
    email: str
    return_url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where to pay. ``ref``: the provider's id of it, by which it tells of it later."""

    ref: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentEvent:
    """What a webhook tells of one page. ``external_id``: of the event; by it, it counts once.

    ``ref`` or ``payment_id`` names the payment. ``cents`` and ``currency`` (upper case) are what
    was paid; ``reason`` is for people. ``is_closed``: what failed cannot be tried again there.
    """

    external_id: str
    kind: Literal["paid", "failed", "expired"]
    is_closed: bool = False
    ref: str = ""
    payment_id: str = ""
    cents: int = 0
    currency: str = ""
    reason: str = ""


class PaymentProvider(Provider):
    """``min_cents``, ``max_cents``: what it takes at once."""

    channel_type = ChannelType.PAYMENTS
    has_webhook = True
    idempotent = True
    min_cents: ClassVar[int] = 1
    max_cents: ClassVar[int] = 99_999_999

    @abstractmethod
    async def begin(self, account: Account, order: Order, *, deadline: float) -> Page:
        """A page to pay on; the same order again is the same page. Raises the errors of ``send``.

        deadline: seconds.
        """

    @abstractmethod
    def is_ready(self, account: Account) -> bool:
        """Whether it could also tell us that something was paid."""

    @abstractmethod
    def parse_payments(self, account: Account, request: Request) -> list[PaymentEvent]:
        """What a verified webhook tells. Raises LookupError, ValueError or TypeError for what is
        none; what concerns no payment of ours is left out."""

    async def send(
        self,
        account: Account,
        content: Content,
        target: Target,
        *,
        idempotency_key: str,
        deadline: float,
    ) -> Accepted:
        raise Permanent("Nothing can be sent through this.")
