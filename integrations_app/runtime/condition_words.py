"""A condition in words: ``{"==": [{"var": "priority"}, "high"]}`` is "priority is high"."""

from typing import Any, Final

_BETWEEN: Final = {
    "==": "is",
    "!=": "is not",
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
    "in": "is one of",
}
_LONGEST: Final = 300


def in_words(condition: Any) -> str:
    """Part of a sentence, "always" for an empty one; what is not known is shown as it is."""
    return _said(condition)[:_LONGEST] if condition else "always"


def _said(part: Any, depth: int = 0) -> str:
    if depth > 8:
        return "…"
    if isinstance(part, list):
        return ", ".join(_said(one, depth + 1) for one in part)
    if not isinstance(part, dict) or len(part) != 1:
        return _plain(part)
    name, given = next(iter(part.items()))
    values = given if isinstance(given, list) else [given]
    if name == "var":
        return str(values[0]).replace("_", " ") if values else "…"
    if name in ("and", "or"):
        said = f" {name} ".join(_said(one, depth + 1) for one in values)
        return f"({said})" if depth else said
    if name == "!":
        return f"not {_said(values[0], depth + 1)}" if values else "not …"
    if name in _BETWEEN and len(values) == 2:
        left, right = (_said(one, depth + 1) for one in values)
        return f"{left} {_BETWEEN[name]} {right}"
    return _plain(part)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value is None else str(value)
