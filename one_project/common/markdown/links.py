"""Which addresses a rendered text may link to, and what a person is shown of them.

Only absolute http, https and mailto addresses (product rule against exfiltration and script
URLs). Protocol-relative and relative ones would lead wherever the page is, so they do not count.
An address with user information (``https://bank.example@evil.test``) is refused: its only use in
a chat is to look like another host. A host outside ASCII is shown in its IDNA form, so that a
look-alike letter shows.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

MAX_ADDRESS_CHARS = 2_048

_WEB = re.compile(r"https?://([^/?#]{1,300})", re.IGNORECASE)
_MAIL = re.compile(r"mailto:([^?#]{1,320})", re.IGNORECASE)
_FORBIDDEN = re.compile("[\x00-\x20\x7f-\x9f\\\\]|%0[0-9a-f]|%1[0-9a-f]|%5c", re.IGNORECASE)
_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9.])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$"
)
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$")


class Link(NamedTuple):
    """An address that may be linked; ``host`` is what a person is shown of it."""

    address: str
    host: str

    def is_shown_by(self, text: str) -> bool:
        """Whether a link's visible text already begins with the place it leads to."""
        shown = text.strip().lower()
        for scheme in ("https://", "http://", "mailto:"):
            shown = shown.removeprefix(scheme)
        if not shown.startswith(self.host):
            return False
        return shown[len(self.host) : len(self.host) + 1] in ("", "/", "?", "#")


def _web_host(authority: str) -> str | None:
    """The host, and port if given, in ASCII lower case; None if it is no plain host."""
    host = unquote(authority, errors="strict")
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    host = host.lower()
    return host if _HOST.match(host) else None


def vet(address: str) -> Link | None:
    """The link for an address as written in an answer, or None if it may not be one."""
    if len(address) > MAX_ADDRESS_CHARS or _FORBIDDEN.search(address):
        return None
    web = _WEB.match(address)
    if web:
        try:
            host = _web_host(web[1])
        except UnicodeError:
            return None
        return Link(address, host) if host else None
    mail = _MAIL.match(address)
    if mail:
        recipient = unquote(mail[1]).lower()
        return Link(address, recipient) if _ADDRESS.match(recipient) else None
    return None
