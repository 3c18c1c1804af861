"""The cost of a model call."""

from datetime import UTC, datetime

import pytest

from billing_app.runtime.pricing import Cost, Tokens, cost_of

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_known_model_costs_what_its_provider_lists() -> None:
    tokens = Tokens(input=1_000_000, output=1_000_000)
    assert cost_of("openai", "gpt-4o-mini", tokens, NOW) == Cost(750_000)


def test_cached_input_is_cheaper_and_counted_once() -> None:
    fresh = cost_of("openai", "gpt-4o-mini", Tokens(input=1_000_000), NOW).micros
    cached = cost_of(
        "openai", "gpt-4o-mini", Tokens(input=1_000_000, cached_input=1_000_000), NOW
    ).micros
    assert (fresh, cached) == (150_000, 75_000)


@pytest.mark.parametrize(
    ("provider", "micros"), [("openai", 20_000), ("anthropic", 32_000), ("someone", 20_000)]
)
def test_an_unknown_model_costs_the_flat_price_and_says_so(provider: str, micros: int) -> None:
    found = cost_of(provider, "nobody-knows-1", Tokens(input=1000, output=1000), NOW)
    assert found == Cost(micros, is_estimated=True)


def test_models_on_this_machine_are_free() -> None:
    assert cost_of("demo", "one-demo", Tokens(input=1000, output=1000), NOW) == Cost(0)
