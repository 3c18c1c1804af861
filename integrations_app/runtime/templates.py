"""Texts with places in them: ``{{ payload.name }}``, and nothing else.

A place is a dotted path into facts (dicts and lists of JSON). There are no filters, no loops and no
attributes, so that whoever writes a text reaches nothing but these facts.
"""

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from one_project.common.text import clean_text

# What a path may begin with.
ROOTS: Final = ("payload", "subscriber", "steps", "notification", "organisation")
MAX_VALUE: Final = 4_000

_PLACE: Final = re.compile(r"\{\{(.{0,200}?)\}\}", re.DOTALL)
_PATH: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,9}")


def problem_of(text: str) -> str:
    """What is wrong with the places of a text, in words; "" when nothing is."""
    for found in _PLACE.finditer(text):
        path = found[1].strip()
        if not _PATH.fullmatch(path):
            return "A place is a path of names with dots, as in {{ payload.name }}."
        if path.partition(".")[0] not in ROOTS:
            return f"A place begins with one of: {', '.join(ROOTS)}."
    if "{{" in _PLACE.sub("", text):
        return "A place that begins with {{ ends with }}."
    return ""


def places_of(text: str) -> Iterator[str]:
    """The paths a text has places for."""
    for found in _PLACE.finditer(text):
        yield found[1].strip()


def render(
    text: str,
    facts: Mapping[str, Any],
    *,
    missing: list[str] | None = None,
    escape: Callable[[str], str] | None = None,
) -> str:
    """``text`` with its places filled. What is not there is empty, and its path added to
    ``missing``. ``escape`` is applied to every value: ``as_html``, ``as_url``."""

    def value(found: re.Match[str]) -> str:
        path = found[1].strip()
        at = look_up(facts, path)
        if at is None and missing is not None and path not in missing:
            missing.append(path)
        shown = as_text(at)
        return escape(shown) if escape else shown

    return _PLACE.sub(value, text)


def as_html(value: str) -> str:
    """Escaped for HTML, also inside of quotes."""
    return html.escape(value, quote=True)


def as_url(value: str) -> str:
    """Escaped for one part of a path or query."""
    return quote(value, safe="")


def look_up(facts: Any, path: str) -> Any:
    """What is at a dotted path, numbers being places of lists; None where nothing is."""
    at = facts
    for name in path.split("."):
        if isinstance(at, Mapping):
            at = at.get(name)
        elif isinstance(at, list | tuple) and name.isdecimal() and len(name) < 6:
            at = at[int(name)] if int(name) < len(at) else None
        else:
            return None
        if at is None:
            return None
    return at


def as_text(value: Any) -> str:
    """A JSON value in words, at most ``MAX_VALUE`` characters."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return clean_text(shown)[:MAX_VALUE]
