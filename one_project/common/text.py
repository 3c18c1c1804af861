"""Text from outside, made safe to store: Postgres takes no NUL, UTF-8 no lone surrogate."""

import re
from collections.abc import Iterable
from typing import Any, Final

# C0 controls but tab and newline, DEL, and the C1 block: invisible, and some end records or lines
# in the formats we write.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")

MAX_NESTING: Final = 64
JSON_LIMITS: Final = f"(nested {MAX_NESTING} deep at most, numbers within 64 bits)"
_TOO_LARGE: Final = 2**63


def clean_text(value: object) -> str:
    """``value`` as text with one kind of newline and nothing unstorable; never raises.

    Lone surrogates become U+FFFD. Direction marks stay: they are part of some languages; the
    renderer isolates them.
    """
    text = value if isinstance(value, str) else "" if value is None else str(value)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))


def clean_line(value: object, limit: int) -> str:
    """One line of clean text, white space folded, at most ``limit`` characters."""
    return " ".join(clean_text(value).split())[:limit].rstrip()


def is_plain_json(value: Any) -> bool:
    """Whether a JSON value can be stored, read and written again by everybody here.

    Nested at most MAX_NESTING deep, numbers within 64 bits: what is beyond ends in errors where
    nobody expects them, e.g. 1e300 comes back from Postgres as an integer of 301 digits.
    """
    layer = [value]
    for _ in range(MAX_NESTING + 1):
        if not all(map(_is_small, layer)):
            return False
        layer = [item for one in layer for item in _inside(one)]
        if not layer:
            return True
    return False


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _is_small(value: Any) -> bool:
    # A float that is no number fails as well: nothing compares with it.
    return not isinstance(value, int | float) or -_TOO_LARGE <= value < _TOO_LARGE


def clean_json(value: Any) -> Any:
    """A JSON value whose texts, also its keys, Postgres can store."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return value
