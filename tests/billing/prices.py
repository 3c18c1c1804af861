"""A handful of prices for tests, in US dollars a million tokens."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing_app.models import ModelPrice, PriceSource, TokenType

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
# Of models that the library knows as well; their names are those it gives.
AMOUNTS = {
    ("openai", "gpt-4o-mini", "input"): "0.15",
    ("openai", "gpt-4o-mini", "cached_input"): "0.075",
    ("openai", "gpt-4o-mini", "output"): "0.6",
    ("openai", "gpt-5", "input"): "1.25",
    ("openai", "gpt-5", "cached_input"): "0.125",
    ("openai", "gpt-5", "output"): "10",
    ("openai", "text-embedding-3-small", "input"): "0.02",
}


def price(
    provider: str = "openai",
    model: str = "m",
    token_type: str = TokenType.INPUT,
    amount: str | Decimal | int = 1,
    **fields: Any,
) -> ModelPrice:
    """A row that is not stored; ``valid_from`` BEGINNING unless given."""
    return ModelPrice(
        **{"valid_from": BEGINNING, "source": PriceSource.LIBRARY, **fields},
        provider=provider,
        model=model,
        token_type=token_type,
        amount=Decimal(amount),
    )


def add_prices(*rows: ModelPrice) -> list[ModelPrice]:
    """Store ``rows``, or those of AMOUNTS; one statement."""
    made = list(rows) or [price(*key, amount) for key, amount in AMOUNTS.items()]
    return ModelPrice.objects.bulk_create(made)
