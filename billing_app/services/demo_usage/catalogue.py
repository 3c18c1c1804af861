"""Which models are called in the made-up year, how often, and with how many tokens."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from billing_app.models import ModelPrice, PriceSource, TokenType
from billing_app.types.periods import next_period

# Our own machines, which people price; the price falls in the middle of a month.
HOUSE: Final = "house"
HOUSE_MODEL: Final = "house-writer"
HOUSE_PRICES: Final = {
    TokenType.INPUT: (Decimal("0.40"), Decimal("0.33")),
    TokenType.CACHED_INPUT: (Decimal("0.10"), Decimal("0.0825")),
    TokenType.OUTPUT: (Decimal("1.60"), Decimal("1.234567")),
}
FALLS_AFTER: Final = 6  # months
FALLS_ON: Final = 15  # of the month
NOTE: Final = "Demonstration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A kind of call. ``share`` of 100; tokens from and to; ``cached``, ``written`` and
    ``reasoned``: the largest part in percent. ``long``: tokens more in one call of 32."""

    provider: str
    requested: str
    returned: str = ""
    purpose: str = "answer"
    tier: str = ""
    share: int
    input: tuple[int, int]
    output: tuple[int, int] = (0, 0)
    cached: int = 0
    written: int = 0
    reasoned: int = 0
    long: int = 0


CALLS: Final = (
    Call(
        provider="openai", requested="gpt-5-mini", returned="gpt-5-mini-2025-08-07",
        share=20, input=(400, 9_000), output=(80, 1_400), cached=70, reasoned=60,
    ),
    Call(
        provider="openai", requested="gpt-5", returned="gpt-5-2025-08-07",
        share=9, input=(700, 14_000), output=(120, 2_600), cached=60, reasoned=75,
    ),
    Call(
        provider="openai", requested="gpt-5.6-luna", returned="gpt-5.6-luna",
        share=7, input=(600, 12_000), output=(100, 1_800), cached=50, reasoned=50,
    ),
    Call(
        provider="openai", requested="gpt-4o-mini", returned="gpt-4o-mini-2024-07-18",
        purpose="title", share=8, input=(200, 900), output=(6, 24),
    ),
    Call(
        provider="openai", requested="gpt-5-mini", returned="gpt-5-mini-2025-08-07",
        purpose="summary", tier="flex", share=3, input=(900, 7_000), output=(60, 400), cached=20,
    ),
    Call(
        provider="openai", requested="text-embedding-3-small", returned="text-embedding-3-small",
        purpose="embedding", share=14, input=(40, 6_000),
    ),
    Call(
        provider="anthropic", requested="claude-sonnet-4-6", returned="claude-sonnet-4-6",
        share=10, input=(900, 18_000), output=(150, 2_400), cached=80, written=15, long=210_000,
    ),
    Call(
        provider="anthropic", requested="claude-haiku-4-5", returned="claude-haiku-4-5-20251001",
        share=8, input=(500, 9_000), output=(80, 1_200), cached=60, written=25,
    ),
    Call(
        provider="google", requested="gemini-2.5-pro", returned="gemini-2.5-pro",
        share=5, input=(900, 30_000), output=(150, 3_000), cached=40, reasoned=60, long=200_000,
    ),
    Call(
        provider="google", requested="gemini-2.5-flash", returned="gemini-2.5-flash",
        share=5, input=(400, 12_000), output=(60, 1_500), cached=30, reasoned=30,
    ),
    Call(
        provider="mistral", requested="mistral-medium-latest", returned="mistral-medium-latest",
        share=4, input=(300, 6_000), output=(60, 1_100),
    ),
    Call(
        provider=HOUSE, requested=HOUSE_MODEL,
        share=4, input=(300, 8_000), output=(60, 1_600), cached=50,
    ),
    # Of no list: estimated.
    Call(
        provider="openai", requested="tuned-for-support", purpose="playground",
        share=1, input=(200, 3_000), output=(40, 700),
    ),
    # On this machine: free.
    Call(
        provider="demo", requested="demo", share=2, input=(100, 2_000), output=(30, 600),
    ),
)  # fmt: skip


def price_the_house(first: date) -> int:
    """Prices of our own machines, from ``first`` on, where it has none; how many rows."""
    if ModelPrice.objects.filter(provider=HOUSE, model=HOUSE_MODEL).exists():
        return 0
    falls = first
    for _ in range(FALLS_AFTER):
        falls = next_period(falls)
    falls = falls.replace(day=FALLS_ON)
    begins = datetime(first.year, first.month, first.day, tzinfo=UTC)
    changes = datetime(falls.year, falls.month, falls.day, 12, tzinfo=UTC)
    made = [
        ModelPrice(
            provider=HOUSE,
            model=HOUSE_MODEL,
            token_type=token_type,
            amount=amount,
            valid_from=since,
            valid_to=until,
            source=PriceSource.PERSON,
            note=NOTE,
        )
        for token_type, amounts in HOUSE_PRICES.items()
        for amount, since, until in zip(amounts, (begins, changes), (changes, None), strict=True)
    ]
    return len(ModelPrice.objects.bulk_create(made))
