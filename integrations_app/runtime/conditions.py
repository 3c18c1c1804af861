"""Conditions as data: a small part of JSONLogic, for routes and steps of notifications.

``{"==": [{"var": "category"}, "billing"]}``. Known: ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``,
``in``, ``and``, ``or``, ``!`` and ``var`` (a dotted path into the facts, with an optional second
value for what is missing). Nothing else is evaluated and nothing is looked up anywhere. Pure.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from one_project.common.errors import InvalidInput

MAX_BYTES: Final = 4_000
MAX_DEPTH: Final = 8
MAX_NODES: Final = 200
MAX_TEXT: Final = 10_000  # characters that ``in`` searches

_PAIRS: Final = ("==", "!=", "<", "<=", ">", ">=", "in")
_LISTS: Final = ("and", "or")
KNOWN: Final = (*_PAIRS, *_LISTS, "!", "var")


def check_condition(condition: Any) -> dict[str, Any]:
    """The condition, if it can be evaluated; an empty one always holds. Raises InvalidInput."""
    if not isinstance(condition, dict):
        raise InvalidInput("A condition is a JSON object.")
    try:
        size = len(json.dumps(condition))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("A condition is a JSON object.") from error
    if size > MAX_BYTES:
        raise InvalidInput(f"A condition has at most {MAX_BYTES:,} bytes.")
    if condition:
        _Counted().look(condition, 1)
    return condition


class _Counted:
    """Walks a condition once; raises InvalidInput at what is not known or too much."""

    def __init__(self) -> None:
        self._nodes = 0

    def look(self, node: Any, depth: int) -> None:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise InvalidInput(f"A condition is at most {MAX_DEPTH} levels deep.")
        if self._nodes > MAX_NODES:
            raise InvalidInput(f"A condition has at most {MAX_NODES} parts.")
        if isinstance(node, dict):
            name, given = _operation(node)
            _check_count(name, given)
            for one in given:
                self.look(one, depth + 1)
        elif isinstance(node, list):
            for one in node:
                self.look(one, depth + 1)


def _operation(node: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Its name and what it is given; JSONLogic lets a single value stand without a list."""
    if len(node) != 1:
        raise InvalidInput("Each part of a condition is an object with one operation.")
    ((name, given),) = node.items()
    if name not in KNOWN:
        raise InvalidInput(f"A condition knows {', '.join(KNOWN)}; not {str(name)[:40]}.")
    return name, given if isinstance(given, list) else [given]


def _check_count(name: str, given: list[Any]) -> None:
    if name in _PAIRS and len(given) != 2:
        raise InvalidInput(f"{name} compares two values.")
    if name in _LISTS and not given:
        raise InvalidInput(f"{name} needs at least one value.")
    if name == "!" and len(given) != 1:
        raise InvalidInput("! takes one value.")
    if name == "var":
        if not 1 <= len(given) <= 2 or not isinstance(given[0], str):
            raise InvalidInput("var takes the name of a fact, and what stands for a missing one.")
        if len(given[0]) > 200:
            raise InvalidInput("The name of a fact has at most 200 characters.")


def holds(condition: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether it holds for ``facts``; an empty condition does.

    Values that cannot be compared (a text with a number, something missing) make a comparison
    False, never an error. Raises InvalidInput for a condition that ``check_condition`` refuses.
    """
    checked = check_condition(dict(condition))
    return not checked or bool(_value(checked, facts))


def _value(node: Any, facts: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_value(one, facts) for one in node]
    if not isinstance(node, dict):
        return node
    name, given = _operation(node)
    if name == "var":
        return _fact(facts, given)
    if name == "!":
        return not _value(given[0], facts)
    if name == "and":
        return all(_value(one, facts) for one in given)
    if name == "or":
        return any(_value(one, facts) for one in given)
    return _compared(name, _value(given[0], facts), _value(given[1], facts))


def _fact(facts: Mapping[str, Any], given: list[Any]) -> Any:
    missing = given[1] if len(given) == 2 else None
    found: Any = facts
    for part in str(given[0]).split("."):
        if isinstance(found, Mapping) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part[:6]) < len(found):
            found = found[int(part[:6])]
        else:
            return missing
    return found


def _compared(name: str, left: Any, right: Any) -> bool:
    if name == "==":
        return _same(left, right)
    if name == "!=":
        return not _same(left, right)
    if name == "in":
        return _within(left, right)
    if not _comparable(left, right):
        return False
    return _ORDER[name](left, right)


_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}


def _same(left: Any, right: Any) -> bool:
    """True is not 1 here: what people write and what programs send must not meet by accident."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _comparable(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return numbers or (isinstance(left, str) and isinstance(right, str))


def _within(left: Any, right: Any) -> bool:
    if isinstance(right, str):
        return isinstance(left, str) and left in right[:MAX_TEXT]
    return isinstance(right, list) and any(_same(left, one) for one in right)
