"""Sums in plain text: finds one in a question and works it out, with limits on its size."""

import ast
import operator
import re
from collections.abc import Callable
from typing import Any, Final

MAX_DIGITS = 60
_SUM = re.compile(r"[-(\d][\d\s.,+\-*/%^()×÷x]*[\d)]")
_ASKS = re.compile(r"\b(?:what(?:'s| is)|calculate|compute|how much is|work out|evaluate)\b", re.I)

_TWO: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


def sum_in(question: str) -> str | None:
    """The sum that stands in a text, as a calculator takes it; None when there is none."""
    found = _SUM.search(question)
    if found is None:
        return None
    expression = _plain(found[0])
    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    # A date or a number with a sign is no sum.
    is_date = re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", expression)
    return expression if isinstance(tree, ast.BinOp) and not is_date else None


def _plain(shown: str) -> str:
    expression = re.sub(r"(?<=\d),(?=\d{3}\b)", "", shown.strip())
    for sign, meant in (("×", "*"), ("x", "*"), ("÷", "/"), ("^", "**")):
        expression = expression.replace(sign, meant)
    return expression


def sum_answer(question: str) -> str | None:
    """The result of the sum in a question, or None when it asks for none."""
    found = _SUM.search(question)
    if found is None or not (_ASKS.search(question) or found[0] == question.strip(" =?\n")):
        return None
    shown = found[0].strip()
    try:
        tree = ast.parse(_plain(shown), mode="eval").body
        if not isinstance(tree, ast.BinOp):
            return None
        value = _value(tree)
    except ZeroDivisionError:
        return f"{shown} has no result: it divides by zero."
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return None
    return f"{shown} = **{value if isinstance(value, int) else format(value, '.10g')}**"


def _value(node: ast.expr) -> int | float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if not isinstance(node, ast.BinOp) or type(node.op) not in _TWO:
        raise ValueError("not a sum")
    left, right = _value(node.left), _value(node.right)
    if isinstance(node.op, ast.Pow) and (abs(right) > 64 or abs(left) > 10**6):
        raise ValueError("too large")
    result = _TWO[type(node.op)](left, right)
    if not isinstance(result, int | float) or abs(result) >= 10**MAX_DIGITS:
        raise ValueError("too large")
    return result
