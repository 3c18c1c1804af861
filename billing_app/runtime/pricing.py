"""What one use of a model costs: rows of prices in memory, a use in, a cost out. Pure.

The price is that of the moment of the use, so that late records cost what they did. Nothing known
is ever priced at nothing: a model with prices, none of which holds, has no cost (``missing``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final

from billing_app.models import ModelPrice, Pricing, TokenType
from billing_app.types.money import ZERO, cost_of_tokens
from billing_app.types.usage import Use

# Dollars for a million tokens, input and output, where the model is unknown; for providers that
# are unknown too, OpenAI's.
FLAT: Final = {
    "openai": (Decimal(5), Decimal(15)),
    "anthropic": (Decimal(8), Decimal(24)),
}
# They run on our own machines.
FREE: Final = frozenset({"demo", "local", "scripted"})
UNNAMED: Final = "unknown"
EMBEDDING: Final = "embedding"  # the purpose of a use

# Whose price a model is known by: provider and model, as the rows name them.
Name = tuple[str, str]


class Prices:
    """Rows of the models that some uses may be of, whatever their dates."""

    def __init__(self, rows: Iterable[ModelPrice] = ()) -> None:
        self._rows: dict[Name, list[ModelPrice]] = {}
        for row in rows:
            self._rows.setdefault((row.provider, row.model), []).append(row)

    def __contains__(self, name: Name) -> bool:
        return name in self._rows

    def name_of(self, use: Use) -> Name | None:
        """The model as rows name it; the one that answered goes before the one asked for."""
        for said in (use.model_returned, use.model_requested):
            for name in names_of(use.provider, said):
                if name in self._rows:
                    return name
        return None

    def in_force(self, name: Name, kind: TokenType, use: Use) -> ModelPrice | None:
        """The row that holds for such tokens of the use: of its tier, else of the default one, for
        the longest context it exceeds."""
        return max(
            (row for row in self._rows[name] if row.token_type == kind and _holds(row, use)),
            key=lambda row: (row.service_tier != "", row.context_from),
            default=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """``cost`` is exact, and None for ``missing``. ``price_*``: US dollars a million, of the kinds
    that have one. ``snapshot``: where they come from."""

    model: str
    pricing: Pricing
    cost: Decimal | None
    price_input: Decimal | None = None
    price_cached_input: Decimal | None = None
    price_cache_write: Decimal | None = None
    price_output: Decimal | None = None
    snapshot: dict[str, Any] = field(default_factory=dict)


def price_use(use: Use, prices: Prices) -> Priced:
    """The cost of one use at its moment."""
    name = prices.name_of(use)
    if name is None:
        return _free(use) if use.provider in FREE else flat(use)
    rows = {
        what: _first(prices.in_force(name, kind, use) for kind in kinds)
        for what, kinds in _kinds(use).items()
    }
    missing = [what for what, tokens in _tokens(use).items() if tokens and rows[what] is None]
    if missing:
        return Priced(
            model=name[1],
            pricing=Pricing.MISSING,
            cost=None,
            snapshot={"provider": name[0], "without": missing},
        )
    amounts = {what: row.amount if row else None for what, row in rows.items()}
    snapshot: dict[str, Any] = {
        "provider": name[0],
        "rows": {what: str(row.pk) for what, row in rows.items() if row},
        "source": sorted(
            {f"{row.source} {row.source_version}".rstrip() for row in rows.values() if row}
        ),
    }
    return _priced(use, name[1], Pricing.LISTED, amounts, snapshot)


def flat(use: Use) -> Priced:
    """The cost of a use of a model that nobody lists."""
    given, said = FLAT.get(use.provider, FLAT["openai"])
    amounts = {"input": given, "cached_input": given, "cache_write": given, "output": said}
    return _priced(use, _own_name(use), Pricing.FLAT, amounts, {"source": ["flat"]})


def _free(use: Use) -> Priced:
    amounts = dict.fromkeys(("input", "cached_input", "cache_write", "output"), ZERO)
    return _priced(use, _own_name(use), Pricing.FREE, amounts, {})


def _priced(
    use: Use,
    model: str,
    pricing: Pricing,
    amounts: Mapping[str, Decimal | None],
    snapshot: dict[str, Any],
) -> Priced:
    tokens = _tokens(use)
    costs = (cost_of_tokens(tokens[what], price) for what, price in amounts.items() if price)
    return Priced(
        model=model,
        pricing=pricing,
        cost=sum(costs, ZERO),
        price_input=amounts["input"],
        price_cached_input=amounts["cached_input"],
        price_cache_write=amounts["cache_write"],
        price_output=amounts["output"],
        snapshot=snapshot,
    )


def _tokens(use: Use) -> dict[str, int]:
    """What is charged: each token once. Reasoning is in the output already."""
    return {
        "input": use.input_tokens - use.cached_input_tokens - use.cache_write_tokens,
        "cached_input": use.cached_input_tokens,
        "cache_write": use.cache_write_tokens,
        "output": use.output_tokens,
    }


def _kinds(use: Use) -> dict[str, tuple[TokenType, ...]]:
    """Of which kinds the prices are, the first that has one: input has no dearer kind than itself,
    so what has no price of its own costs what input costs."""
    input_kinds: tuple[TokenType, ...] = (TokenType.INPUT,)
    if use.purpose == EMBEDDING:
        input_kinds = (TokenType.EMBEDDING, TokenType.INPUT)
    return {
        "input": input_kinds,
        "cached_input": (TokenType.CACHED_INPUT, *input_kinds),
        "cache_write": (TokenType.CACHE_WRITE, *input_kinds),
        "output": (TokenType.OUTPUT,),
    }


def _holds(row: ModelPrice, use: Use) -> bool:
    return (
        row.service_tier in ("", use.service_tier)
        and (row.context_from == 0 or row.context_from < use.input_tokens)
        and _is_valid(row, use.occurred_at)
    )


def _is_valid(row: ModelPrice, at: datetime) -> bool:
    return row.valid_from <= at and (row.valid_to is None or at < row.valid_to)


def _first(rows: Iterable[ModelPrice | None]) -> ModelPrice | None:
    return next((row for row in rows if row is not None), None)


def _own_name(use: Use) -> str:
    return use.model_returned or use.model_requested or UNNAMED


def names_of(provider: str, said: str) -> Iterable[Name]:
    """What rows may call a model of which a provider, or a person, says ``said``.

    As it is, then as the library of prices knows it: dated names belong to their model, and models
    of one provider at another one may be priced as at home. Lazy: the library takes its time.
    """
    if not said:
        return
    yield provider, said
    if provider not in FREE and (listed := _listed_name(provider, said)):
        yield listed


@lru_cache(maxsize=4096)
def _listed_name(provider: str, said: str) -> Name | None:
    """Provider and model as the library names them; None for what it does not know."""
    providers = price_list()
    wanted = provider.lower().strip()
    here = next((each for each in providers if each.id == wanted), None) or next(
        (
            each
            for each in providers
            if each.provider_match and each.provider_match.is_match(wanted)
        ),
        None,
    )
    found = here and here.find_model(said, all_providers=providers)
    if not found:
        return None
    home = next(each for each in providers if any(model is found for model in each.models))
    return home.id, found.id


@cache
def price_list() -> Any:
    """The library's providers; reading them takes most of a second, which a web process need not
    spend."""
    from genai_prices import data

    return data.providers


def warm_up() -> None:
    """Read the library now and not at the first call."""
    price_list()
