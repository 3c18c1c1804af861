"""Text from outside, made safe to store: Postgres takes no NUL, UTF-8 no lone surrogate."""

import re
from typing import Any

# C0 controls but tab and newline, DEL, and the C1 block: invisible, and some end records or lines
# in the formats we write.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


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


def clean_json(value: Any) -> Any:
    """A JSON value whose texts, also its keys, Postgres can store."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(key): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return value
