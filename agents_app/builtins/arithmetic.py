"""Arithmetic in plain text, worked out step by step; nothing is ever run as a program.

Whole numbers stay exact up to MAX_BITS, others have the precision of a double. Depth, length and
the size of every intermediate result are limited, so that no sum takes longer than a moment.
"""

import math
import operator
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

MAX_CHARS: Final = 500
MAX_DEPTH: Final = 50
MAX_BITS: Final = 4096

Number: TypeAlias = int | float

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z][A-Za-z0-9]*)"
    r"|(?P<sign>\*\*|//|[-+*/%^(),×÷−]))"
)
_SAME: Final = {"^": "**", "×": "*", "÷": "/", "−": "-"}
_CONSTANTS: Final = {"pi": math.pi, "e": math.e}
_FUNCTIONS: Final[dict[str, tuple[int, int, Callable[..., Any]]]] = {
    # Least and most arguments.
    "abs": (1, 1, abs),
    "ceil": (1, 1, math.ceil),
    "cos": (1, 1, math.cos),
    "exp": (1, 1, math.exp),
    "floor": (1, 1, math.floor),
    "log": (1, 2, math.log),
    "log10": (1, 1, math.log10),
    "max": (1, 50, max),
    "min": (1, 50, min),
    "round": (1, 2, lambda value, digits=0: round(value, int(digits)) if digits else round(value)),
    "sin": (1, 1, math.sin),
    "sqrt": (1, 1, math.sqrt),
    "tan": (1, 1, math.tan),
}
_TERMS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
}
_FACTORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


class SumError(ValueError):
    """It cannot be worked out; the text says why."""


def calculate(expression: str) -> str:
    """The result as text: whole numbers exactly, others with 12 digits. Raises SumError."""
    if len(expression) > MAX_CHARS:
        raise SumError(f"The expression is longer than {MAX_CHARS} characters.")
    try:
        value = _Reader(_tokens(expression)).whole()
    except ZeroDivisionError as error:
        raise SumError("It divides by zero.") from error
    except OverflowError as error:
        raise SumError("The result is too large.") from error
    except (ValueError, TypeError) as error:
        message = str(error) if isinstance(error, SumError) else "It has no result as a number."
        raise SumError(message) from error
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value) if isinstance(value, int) else format(value, ".12g")


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    place = 0
    text = text.rstrip(" \t\n=")
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise SumError(f"{text[place:].strip()[:20]!r} is no part of a sum.")
        token = match[0].strip()
        found.append(_SAME.get(token, token))
        place = match.end()
    return found


class _Reader:
    """Sum: terms joined by + and -; term: factors by * / // %; factor: signs, powers, a value."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def whole(self) -> Number:
        value = self._sum()
        if self._next() is not None:
            raise SumError(f"{self._next()!r} is not expected there.")
        return value

    def _next(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _take(self) -> str:
        token = self._next()
        if token is None:
            raise SumError("Something is missing at the end.")
        self._place += 1
        return token

    def _expect(self, sign: str) -> None:
        if self._take() != sign:
            raise SumError(f"A {sign!r} is missing.")

    def _sum(self) -> Number:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SumError("There are too many brackets or signs within one another.")
        value = self._joined(_TERMS, lambda: self._joined(_FACTORS, self._factor))
        self._depth -= 1
        return value

    def _joined(
        self, signs: dict[str, Callable[[Any, Any], Any]], part: Callable[[], Number]
    ) -> Number:
        value = part()
        while (sign := self._next()) is not None and sign in signs:
            self._take()
            value = _checked(signs[sign](value, part()))
        return value

    def _factor(self) -> Number:
        if self._next() in ("-", "+"):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise SumError("There are too many brackets or signs within one another.")
            value = self._factor() if self._take() == "+" else -self._factor()
            self._depth -= 1
            return value
        base = self._value()
        if self._next() != "**":
            return base
        self._take()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SumError("There are too many powers within one another.")
        power = self._factor()
        self._depth -= 1
        return _power(base, power)

    def _value(self) -> Number:
        token = self._take()
        if token == "(":  # noqa: S105
            value = self._sum()
            self._expect(")")
            return value
        if token[0].isdigit() or token[0] == ".":
            return _checked(float(token) if set(token) & set(".eE") else int(token))
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if token in _FUNCTIONS:
            return self._called(token)
        raise SumError(f"{token!r} is not known here.")

    def _called(self, name: str) -> Number:
        least, most, function = _FUNCTIONS[name]
        self._expect("(")
        given = [self._sum()]
        while self._next() == ",":
            self._take()
            given.append(self._sum())
        self._expect(")")
        if not least <= len(given) <= most:
            raise SumError(f"{name} takes {least if least == most else f'{least} to {most}'}.")
        if name == "round" and len(given) == 2 and abs(given[1]) > 100:
            raise SumError("round takes 100 digits at most.")
        return _checked(function(*given))


def _power(base: Number, power: Number) -> Number:
    if isinstance(base, int) and isinstance(power, int) and abs(base) > 1:
        if abs(power) * (abs(base).bit_length() - 1) > MAX_BITS:
            raise SumError("The result is too large.")
    elif isinstance(base, int) and isinstance(power, int) and base in (1, -1):
        power %= 2  # else minus one to a huge power takes long
    return _checked(base**power)


def _checked(value: Any) -> Number:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SumError("It has no result as a real number.")
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise SumError("The result is too large.")
    elif not math.isfinite(value):
        raise SumError("The result is too large.")
    return value
