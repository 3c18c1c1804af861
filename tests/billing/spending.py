"""Spending in tests: a model that costs a dollar for a million tokens, and calls of it at once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, connections, transaction
from django.utils import timezone

from billing_app.models import TokenType, UsageRecord, Wallet
from billing_app.services.usage import record_usage
from billing_app.types.usage import Spender, Use
from one_project.common.ids import new_id
from tests.billing.prices import add_prices, price
from tests.people import World

MODEL = "dollar-model"


def add_dollar_model() -> None:
    """A million tokens of input or output cost one dollar."""
    add_prices(
        *[price(model=MODEL, token_type=each) for each in (TokenType.INPUT, TokenType.OUTPUT)]
    )


def use_of(world: World, dollars: str, **fields: Any) -> Use:
    """A call that costs so much, Bob's unless told otherwise."""
    base: dict[str, Any] = {
        "id": new_id(),
        "occurred_at": timezone.now(),
        "provider": "openai",
        "model_requested": MODEL,
        "organisation_id": world.organisation.pk,
        "user_id": world.bob.pk,
        "output_tokens": int(Decimal(dollars) * 1_000_000),
    }
    return Use(**base | fields)


def spend(world: World, dollars: str, **fields: Any) -> UsageRecord:
    """Record a call that costs so much."""
    use = use_of(world, dollars, **fields)
    with transaction.atomic():
        return record_usage([use])[use.id]


def spender_of(world: World, user_id: UUID | None = None, **fields: Any) -> Spender:
    """Bob, unless told otherwise."""
    return Spender(organisation_id=world.organisation.pk, user_id=user_id or world.bob.pk, **fields)


def at(day: int, hour: int = 0, minute: int = 0, month: int = 5) -> datetime:
    return datetime.fromisoformat(f"2026-{month:02}-{day:02}T{hour:02}:{minute:02}:00+00:00")


def wallet() -> Wallet:
    """The only one there is."""
    return Wallet.objects.get()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Each in a thread with a connection of its own, begun together; results or exceptions."""
    barrier = threading.Barrier(len(calls))

    def run(each: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(30)
            return each()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
