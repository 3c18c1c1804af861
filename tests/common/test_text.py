"""Values from outside, before they are stored."""

import pytest

from one_project.common.text import MAX_NESTING, is_plain_json


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = {"a": [value]}
    return value


@pytest.mark.parametrize(
    "value", [None, True, "text", 2**63 - 1, -(2**63), 1e18, -0.0, {"a": [1, {"b": 2.5}]}, {}, []]
)
def test_what_everybody_can_write_and_read(value: object) -> None:
    assert is_plain_json(value)


@pytest.mark.parametrize(
    "value", [2**63, 1e300, {"a": [1e19]}, float("inf"), float("nan"), nested(400)]
)
def test_what_breaks_somebody(value: object) -> None:
    assert not is_plain_json(value)


def test_nesting_ends_where_it_says() -> None:
    assert is_plain_json(nested(MAX_NESTING // 2))
    assert not is_plain_json({"a": nested(MAX_NESTING // 2)})
