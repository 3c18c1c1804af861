"""What one use costs."""

import ast
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import billing_app
from billing_app.models import Pricing
from billing_app.runtime.pricing import Prices, price_use
from billing_app.types.money import CENT, cost_of_tokens, to_cents
from tests.billing.prices import AMOUNTS, price
from tests.billing.uses import use

LISTED = Prices([price(*key, amount) for key, amount in AMOUNTS.items()])
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MILLION = 1_000_000


def cost(prices: Prices, *args: Any, **fields: Any) -> Decimal | None:
    return price_use(use(*args, **fields), prices).cost


def test_each_token_is_charged_once() -> None:
    prices = Prices(
        [
            price(token_type="input", amount=10),
            price(token_type="cached_input", amount=1),
            price(token_type="cache_write", amount=12),
            price(token_type="output", amount=100),
        ]
    )
    tokens = {"input_tokens": 10 * MILLION, "output_tokens": MILLION}
    found = price_use(
        use(
            **tokens,
            cached_input_tokens=4 * MILLION,
            cache_write_tokens=MILLION,
            reasoning_tokens=MILLION,
        ),
        prices,
    )
    assert found.cost == 5 * 10 + 4 * 1 + 12 + 100
    assert found.pricing == Pricing.LISTED
    assert (found.price_input, found.price_cached_input) == (10, 1)
    assert (found.price_cache_write, found.price_output) == (12, 100)
    assert found.snapshot["rows"].keys() == {"input", "cached_input", "cache_write", "output"}


def test_what_has_no_price_of_its_own_costs_what_input_costs() -> None:
    prices = Prices([price(amount=10), price(token_type="output", amount=0)])
    tokens = {"cached_input_tokens": MILLION, "cache_write_tokens": MILLION}
    assert cost(prices, input_tokens=3 * MILLION, **tokens) == 30


@pytest.mark.parametrize(("at", "dollars"), [(JUNE - MICROSECOND, 1), (JUNE, 2)], ids=str)
def test_a_price_holds_from_its_moment_to_before_its_end(at: datetime, dollars: int) -> None:
    prices = Prices([price(amount=1, valid_to=JUNE), price(amount=2, valid_from=JUNE)])
    assert cost(prices, occurred_at=at, input_tokens=MILLION, output_tokens=0) == dollars


def test_a_gap_is_unpriced_and_not_free() -> None:
    prices = Prices([price(valid_to=JUNE), price(valid_from=JUNE + timedelta(days=1))])
    found = price_use(use(occurred_at=JUNE, output_tokens=0), prices)
    assert (found.pricing, found.cost, found.price_input) == (Pricing.MISSING, None, None)


def test_a_kind_that_was_used_and_has_no_price_makes_the_use_unpriced() -> None:
    prices = Prices([price()])
    assert price_use(use(output_tokens=1), prices).pricing == Pricing.MISSING
    assert price_use(use(output_tokens=0), prices).pricing == Pricing.LISTED


@pytest.mark.parametrize(("provider", "dollars"), [("openai", 20), ("anthropic", 32), ("x", 20)])
def test_an_unknown_model_costs_the_flat_price(provider: str, dollars: int) -> None:
    tokens = {"input_tokens": MILLION, "output_tokens": MILLION}
    found = price_use(use("nobody-knows-1", provider, **tokens), LISTED)
    assert (found.cost, found.pricing, found.model) == (dollars, Pricing.FLAT, "nobody-knows-1")


def test_models_on_our_own_machines_are_free_unless_somebody_gave_them_a_price() -> None:
    assert price_use(use("one-demo", "demo"), LISTED).pricing == Pricing.FREE
    assert cost(LISTED, "one-demo", "demo") == 0
    priced = Prices([price("local", "qwen"), price("local", "qwen", "output")])
    assert price_use(use("qwen", "local"), priced).pricing == Pricing.LISTED


@pytest.mark.parametrize(
    ("requested", "returned", "model"),
    [
        ("gpt-5", "gpt-5", "gpt-5"),
        ("gpt-5", "", "gpt-5"),
        ("gpt-5", "gpt-5-2025-08-07", "gpt-5"),
        ("auto", "gpt-5-2025-08-07", "gpt-5"),
        ("gpt-5", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),  # another one has answered
        ("gpt-5", "gpt-of-the-house", "gpt-5"),
        ("gpt-5-20250807", "", "gpt-5"),
    ],
)
def test_the_model_that_answered_is_priced_by_its_own_name(
    requested: str, returned: str, model: str
) -> None:
    found = price_use(use(requested, model_returned=returned), LISTED)
    assert (found.model, found.pricing) == (model, Pricing.LISTED)


def test_a_model_of_one_provider_at_another_is_priced_as_at_home() -> None:
    assert price_use(use("gpt-5", "azure"), LISTED).snapshot["provider"] == "openai"
    assert price_use(use("gpt-5", "a-proxy"), LISTED).pricing == Pricing.FLAT


def test_a_long_context_makes_the_whole_call_dearer() -> None:
    prices = Prices([price(amount=1), price(amount=2, context_from=200_000)])
    assert cost(prices, input_tokens=200_000, output_tokens=0) == Decimal("0.2")
    assert cost(prices, input_tokens=200_001, output_tokens=0) == Decimal("0.400002")


def test_a_tier_costs_its_price_and_else_the_default_one() -> None:
    prices = Prices(
        [
            price(amount=10),
            price(token_type="cached_input", amount=4),
            price(amount=5, service_tier="batch"),
            price(amount=20, context_from=1000),
        ]
    )
    tokens = {"input_tokens": MILLION, "output_tokens": 0}
    assert cost(prices, **tokens) == 20
    assert cost(prices, **tokens, service_tier="batch") == 5
    assert cost(prices, **tokens, service_tier="flex") == 20
    cached = {"service_tier": "batch", "cached_input_tokens": MILLION}
    assert cost(prices, **tokens, **cached) == 4


def test_embeddings_cost_what_they_cost_else_input() -> None:
    model = "text-embedding-3-small"
    tokens = {"input_tokens": MILLION, "output_tokens": 0, "purpose": "embedding"}
    assert cost(LISTED, model, **tokens) == Decimal("0.02")
    prices = Prices([price(model=model, token_type="embedding", amount=3), price(model=model)])
    found = price_use(use(model, **tokens), prices)
    assert (found.cost, found.price_input) == (3, 3)


tokens = st.integers(0, 10**12)
amounts = st.decimals(0, 1_000_000, places=6, allow_nan=False)


@given(tokens, amounts)
def test_costs_are_exact(count: int, amount: Decimal) -> None:
    found = cost_of_tokens(count, amount)
    assert found * MILLION == count * amount
    assert abs(to_cents(found) - found) <= CENT / 2


@given(tokens, tokens, st.integers(0, 100), amounts, amounts)
def test_a_cost_is_the_sum_of_what_its_lines_say(
    given_: int, said: int, cached: int, dear: Decimal, cheap: Decimal
) -> None:
    prices = Prices(
        [
            price(amount=dear),
            price(token_type="cached_input", amount=cheap),
            price(token_type="output", amount=dear),
        ]
    )
    part = given_ * cached // 100
    found = cost(prices, input_tokens=given_, cached_input_tokens=part, output_tokens=said)
    assert found is not None
    assert found * MILLION == (given_ - part) * dear + part * cheap + said * dear


# Limits count seconds and shares of tokens, no money.
WITHOUT_MONEY = ("rate_limits", "sending", "deciding", "conf", "errors", "0001_initial")
IN_SECONDS = ("initial", "timeout")


def floats_of(tree: ast.AST) -> list[int]:
    """Lines with a float in them that is no time of a step."""
    times = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in IN_SECONDS
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, float)
            and id(node) not in times
        )
        or (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Attribute) and node.attr == "FloatField")
    ]


def test_no_float_is_near_money() -> None:
    root = Path(billing_app.__file__).parent
    found = [
        f"{path.relative_to(root)}:{line}"
        for path in root.rglob("*.py")
        if path.stem not in WITHOUT_MONEY
        for line in floats_of(ast.parse(path.read_text()))
    ]
    assert found == []
    assert floats_of(ast.parse("x = 1.5\ny = float(2)\nz = f(timeout=2.0)")) == [1, 2]
