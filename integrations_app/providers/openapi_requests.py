"""One use of an operation as a request: no argument leaves its place. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from one_project.common.errors import InvalidInput

MAX_URL: Final = 2_000
_VALUE_CHARS: Final = 4_000
_TEMPLATE = re.compile(r"\{([^{}/]+)\}")
_HEADER_VALUE = re.compile(r"^[\x20-\x7e]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request as ``providers.http.fetch`` takes it; without the credential."""

    method: str
    url: str
    headers: dict[str, str]
    json: Any = None


def prepare(base_url: str, operation: Mapping[str, Any], arguments: Mapping[str, Any]) -> Prepared:
    """The request of one use. Raises InvalidInput where an argument would leave its place."""
    places: Mapping[str, Mapping[str, str]] = operation["places"]
    path: str = operation["path"]
    query: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    body: Any = None
    for argument, value in arguments.items():
        place = places.get(argument)
        if place is None:
            raise InvalidInput(f"There is no argument {argument[:40]}.")
        if place["in"] == "body":
            body = value
        elif place["in"] == "query":
            query += [(place["name"], _plain(one)) for one in _several(value)]
        elif place["in"] == "header":
            headers[place["name"]] = _header_value(argument, value)
        else:
            # An empty one would name the whole collection instead of one thing in it.
            if not (encoded := quote(_plain(value), safe="")):
                raise InvalidInput("An argument of the path is empty.")
            path = path.replace("{" + place["name"] + "}", encoded)
    if _TEMPLATE.search(path):
        raise InvalidInput("An argument of the path is missing.")
    if leads_elsewhere(path):
        raise InvalidInput("An argument of the path leads elsewhere.")
    url = base_url.rstrip("/") + path + (f"?{urlencode(query, quote_via=quote)}" if query else "")
    if len(url) > MAX_URL:
        raise InvalidInput("The arguments are too long for an address.")
    return Prepared(method=operation["method"], url=url, headers=headers, json=body)


def leads_elsewhere(path: str) -> bool:
    """Whether a path has a part that is empty, ``.`` or ``..``."""
    parts = path[1:].removesuffix("/").split("/")
    return path != "/" and any(one in ("", ".", "..") for one in parts)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list) or value is None:
        raise InvalidInput("An argument of an address is a text, a number, true or false.")
    text = str(value)
    if len(text) > _VALUE_CHARS or any(ord(one) < 32 or ord(one) == 127 for one in text):
        raise InvalidInput("An argument is too long, or holds a line break.")
    return text.encode("utf-8", errors="replace").decode()


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _header_value(argument: str, value: Any) -> str:
    text = _plain(value)
    if not _HEADER_VALUE.match(text):
        raise InvalidInput(f"{argument[:40]} may hold plain characters only.")
    return text.strip()
