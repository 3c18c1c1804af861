"""What some calls have cost together, and how it is said. Pure."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from billing_app.types.money import ZERO, spoken

# Single answers cost fractions of a cent.
SMALLEST: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """Sums over calls. ``cost``: US dollars, of those that have a price; ``is_missing``: one has
    none yet; ``is_estimated``: tokens or price of one are."""

    calls: int = 0
    tokens: int = 0
    cost: Decimal = ZERO
    is_estimated: bool = False
    is_missing: bool = False

    @property
    def is_free(self) -> bool:
        """There is nothing to say about it."""
        return not self.cost and not self.is_missing

    @property
    def words(self) -> str:
        """``$0.0042``, ``≈ $1.20`` where it is estimated, ``no price yet`` where one is missing."""
        if self.is_missing:
            return "no price yet"
        return f"≈ {finely(self.cost)}" if self.is_estimated else finely(self.cost)

    @property
    def token_words(self) -> str:
        """``1,240 tokens``."""
        return f"{self.tokens:,} token{'' if self.tokens == 1 else 's'}"

    def __add__(self, other: "CallCost") -> "CallCost":
        return CallCost(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            cost=self.cost + other.cost,
            is_estimated=self.is_estimated or other.is_estimated,
            is_missing=self.is_missing or other.is_missing,
        )


def finely(amount: Decimal) -> str:
    """As ``spoken``, with four decimals below a dollar: ``$0.0042``; ``<$0.0001``."""
    if amount >= 1 or amount <= 0:
        return spoken(amount)
    if amount < SMALLEST:
        return f"<${SMALLEST}"
    return f"${amount.quantize(SMALLEST, rounding=ROUND_HALF_UP)}"
