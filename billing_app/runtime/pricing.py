"""What a model call costs: the provider's price of that day, or a flat one that says so."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any, Final

MICROS: Final = Decimal(1_000_000)
# Dollars for a thousand tokens, input and output, where the model is unknown; for providers that
# are unknown too, OpenAI's.
FLAT: Final = {
    "openai": (Decimal("0.005"), Decimal("0.015")),
    "anthropic": (Decimal("0.008"), Decimal("0.024")),
}
# They run on this machine.
FREE: Final = frozenset({"demo", "local", "scripted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Cached and cache-write tokens are part of the input."""

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """Millionths of a US dollar; ``is_estimated``: the flat price of an unknown model."""

    micros: int
    is_estimated: bool = False


def cost_of(provider: str, model: str, tokens: Tokens, at: datetime) -> Cost:
    """The cost of one call at that moment."""
    if provider in FREE:
        return Cost(0)
    try:
        dollars = _listed(provider, model, tokens, at)
    except LookupError:
        given, said = FLAT.get(provider, FLAT["openai"])
        return Cost(_micros((tokens.input * given + tokens.output * said) / 1000), True)
    return Cost(_micros(dollars))


def _listed(provider: str, model: str, tokens: Tokens, at: datetime) -> Decimal:
    prices = _prices()
    usage = prices.Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cached_input,
        cache_write_tokens=tokens.cache_write,
    )
    found = prices.calc_price(
        usage, model_ref=model, provider_id=provider, genai_request_timestamp=at
    )
    return Decimal(found.total_price)


@cache
def _prices() -> Any:
    """The list of prices; reading it takes a second, which a web process need not spend."""
    import genai_prices

    return genai_prices


def warm_up() -> None:
    """Read the list of prices now and not at the first call."""
    _prices()


def _micros(dollars: Decimal) -> int:
    return int((dollars * MICROS).quantize(Decimal(1), rounding=ROUND_HALF_UP))
