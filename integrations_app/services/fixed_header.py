"""A header with a key that an administrator has set for a server or an interface."""

import re
from typing import Final
from urllib.parse import urlsplit

from integrations_app.errors import InvalidSettings
from integrations_app.models import HttpApi, McpServer

MAX_CHARS: Final = 4_000
NEW_PLACE: Final = "Type this again: it would be sent to another address than before."
_NAME: Final = re.compile(r"^[A-Za-z0-9-]{1,64}$")
_VALUE: Final = re.compile(r"^[\x20-\x7e]+$")
# They frame or route the request.
_REFUSED: Final = re.compile(
    r"^(host|connection|upgrade|te|trailer|transfer-encoding|expect|content-.*|proxy-.*|accept.*)$",
    re.IGNORECASE,
)


def header_of(row: McpServer | HttpApi) -> dict[str, str]:
    """The header as it is sent, for one use; empty where there is none. Raises SealBroken."""
    held = row.credentials
    return {str(held["name"]): str(held["value"])} if held.get("value") else {}


def set_header(row: McpServer | HttpApi, name: str, value: str) -> None:
    """Put it on the row, unsaved; an empty ``value`` leaves what is there.

    Raises InvalidSettings.
    """
    name, value = name.strip() or "Authorization", value.strip()
    problems: dict[str, str] = {}
    if not _NAME.match(name) or _REFUSED.match(name):
        problems["header_name"] = "This is no name of a header that can be set."
    if value and (len(value) > MAX_CHARS or not _VALUE.match(value)):
        problems["header_value"] = "One line of plain characters, 4,000 at most."
    if problems:
        raise InvalidSettings(problems)
    held = row.credentials
    if value:
        row.credentials = {"name": name, "value": value}
        row.hint = f"{name}: ••••{value[-4:]}" if len(value) >= 12 else f"{name}: ••••"
    elif held.get("value") and held.get("name") != name:
        row.credentials = {"name": name, "value": held["value"]}
        row.hint = f"{name}: {row.hint.rpartition(' ')[2]}"


def drop_header(row: McpServer | HttpApi) -> None:
    row.credentials, row.hint = {}, ""


def site_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: what a key is given to."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port


def check_moved(before: str, after: str, row: McpServer | HttpApi, value: str) -> bool:
    """Whether it moves to another site. Raises InvalidSettings where a key would move along that
    was typed for the old one."""
    has_moved = bool(before) and site_of(before) != site_of(after)
    if has_moved and row.credentials.get("value") and not value.strip():
        raise InvalidSettings({"header_value": NEW_PLACE})
    return has_moved
