"""Conditions are data: what holds, what is refused, and that nothing raises on odd facts."""

from typing import Any

import pytest

from integrations_app.runtime.conditions import check_condition, holds
from one_project.common.errors import InvalidInput

FACTS = {"category": "billing", "amount": 120, "person": {"role": "admin"}, "tags": ["a", "b"]}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, True),
        ({"==": [{"var": "category"}, "billing"]}, True),
        ({"!=": [{"var": "category"}, "billing"]}, False),
        ({">=": [{"var": "amount"}, 120]}, True),
        ({"<": [{"var": "amount"}, 120]}, False),
        ({"in": ["a", {"var": "tags"}]}, True),
        ({"in": ["bill", {"var": "category"}]}, True),
        ({"in": [{"var": "category"}, ["sales", "billing"]]}, True),
        ({"==": [{"var": "person.role"}, "admin"]}, True),
        ({"==": [{"var": "tags.1"}, "b"]}, True),
        ({"var": ["missing", "yes"]}, True),
        ({"!": {"var": "missing"}}, True),
        ({"and": [{">": [{"var": "amount"}, 100]}, {"==": [{"var": "category"}, "x"]}]}, False),
        ({"or": [{">": [{"var": "amount"}, 100]}, {"==": [{"var": "category"}, "x"]}]}, True),
        # What cannot be compared is False, never an error.
        ({"<": [{"var": "category"}, 5]}, False),
        ({">": [{"var": "missing"}, 5]}, False),
        ({"==": [True, 1]}, False),
        ({"in": [1, {"var": "amount"}]}, False),
    ],
)
def test_holds(condition: dict[str, Any], expected: bool) -> None:
    assert holds(condition, FACTS) is expected


@pytest.mark.parametrize(
    "condition",
    [
        [],
        "yes",
        {"method": ["x", "y"]},
        {"==": [1]},
        {"==": [1, 2], "!=": [1, 2]},
        {"!": []},
        {"and": []},
        {"var": [1]},
        {"var": "x" * 300},
        {"in": ["x" * 5_000, "y"]},
        {"and": [True] * 300},
    ],
)
def test_others_are_refused(condition: Any) -> None:
    with pytest.raises(InvalidInput):
        check_condition(condition)


def test_depth_is_bounded() -> None:
    condition: Any = {"var": "x"}
    for _ in range(20):
        condition = {"!": [condition]}
    with pytest.raises(InvalidInput, match="deep"):
        check_condition(condition)
