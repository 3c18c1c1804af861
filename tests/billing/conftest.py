"""Fixtures of billing."""

import pytest

from billing_app.models import ModelPrice
from tests.billing.prices import add_prices


@pytest.fixture
def prices(db: None) -> list[ModelPrice]:
    """A handful of prices, as if from the library."""
    return add_prices()
