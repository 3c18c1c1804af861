"""Amounts of money: always ``Decimal``, always US dollars, rounded in one place.

Prices have up to 6 decimals for a million tokens, so that the cost of a call is exact with 12.
Only lines of invoices and their tax are rounded, once each, half up, to cents.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

CURRENCY: Final = "USD"
CENT: Final = Decimal("0.01")
MILLION: Final = Decimal(1_000_000)
COST_DIGITS: Final = 12
PRICE_DIGITS: Final = 6
ZERO: Final = Decimal(0)


def to_cents(amount: Decimal) -> Decimal:
    """Rounded half up (away from zero for negative amounts), with two decimals."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def cost_of_tokens(tokens: int, price: Decimal) -> Decimal:
    """What ``tokens`` cost at ``price`` a million; exact for prices of PRICE_DIGITS decimals."""
    return (tokens * price / MILLION).quantize(Decimal(1).scaleb(-COST_DIGITS))


def spoken(amount: Decimal) -> str:
    """As people read it: ``$1,388.41``, ``-$2.00``; ``<$0.01`` for what is not quite nothing."""
    if ZERO < amount < CENT / 2:
        return "<$0.01"
    cents = to_cents(amount)
    return f"{'-' if cents < 0 else ''}${abs(cents):,.2f}"
