"""Where requests may go: one rule for all doors, at saving and at each connection.

A name is looked up once, every address it has must be on the public internet, and the door connects
to one of those that were checked, so that no second look-up can answer something else. What the
operator has listed (ONE_HTTP_ALLOWED_HOSTS, ONE_PROVIDER_URLS, ONE_HTTP_ALLOW_PRIVATE) is exempt.
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx2
from django.conf import settings

from integrations_app.errors import AddressRefused, BadAddress
from integrations_app.providers.addresses import is_public
from integrations_app.providers.places import is_operators
from integrations_app.providers.threads import in_own_thread

MAX_URL_CHARS: Final = 2_000
WEB_PORTS: Final = (80, 443)
MAIL_PORTS: Final = (25, 465, 587, 2525)

# Names as look-ups take them, and addresses; a letter of any script is made ASCII by them.
_HOST: Final = re.compile(r"[^\s/?#@\\\[\]%\x00-\x20\x7f]{1,253}")


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked address: ``address`` is an IP."""

    address: str
    port: int
    family: socket.AddressFamily


def parsed(url: str) -> httpx2.URL:
    """``url`` without its fragment, if it may be asked for by its form. Raises BadAddress."""
    if len(url) > MAX_URL_CHARS or any(ord(one) <= 32 or ord(one) == 127 for one in url):
        raise BadAddress(detail="too long, or with blanks")
    try:
        address = httpx2.URL(url)
        port = port_of(address)
    except (httpx2.InvalidURL, ValueError) as error:
        raise BadAddress(detail="not an address") from error
    if address.scheme not in ("http", "https") or not address.host or not 0 < port < 65_536:
        raise BadAddress("A web address begins with http:// or https://.")
    named = "@" in re.split(r"[/?#\\]", url.partition("://")[2], maxsplit=1)[0]
    # A backslash ends the host for some readers of addresses, and for this one it does not.
    if named or address.userinfo:
        raise BadAddress("A web address must not hold a name or a password.")
    return address.copy_with(fragment=None)


def port_of(address: httpx2.URL) -> int:
    """The port that is connected to; that of the scheme where none is written."""
    if address.port is not None:
        return address.port
    return 443 if address.scheme == "https" else 80


def check_address(url: str, *, allow_private: bool = False) -> None:
    """Refuse, at saving, an address that would be refused at sending.

    Looks the name up, so not inside of a transaction. A name that is not known (yet) passes: each
    sending looks again. Raises BadAddress, AddressRefused.
    """
    address = parsed(url)
    _checked_if_known(address.host, port_of(address), WEB_PORTS, allow_private)


def check_host(host: str, port: int, *, ports: Sequence[int] = MAIL_PORTS) -> None:
    """As ``check_address``, for a host and a port (of a mail server)."""
    if not _HOST.fullmatch(host) or not 0 < port < 65_536:
        raise BadAddress("This is not the name of a server.", detail="no name of a host")
    _checked_if_known(host, port, ports, False)


def looked_up(
    host: str, port: int, *, ports: Sequence[int] = WEB_PORTS, allow_private: bool = False
) -> list[Destination]:
    """All addresses of a host, every one of them allowed. Blocks.

    Raises AddressRefused, BadAddress, OSError (``socket.gaierror``: no such name).
    """
    inside = _is_listed(host, port) or allow_private
    inside = inside or getattr(settings, "ONE_HTTP_ALLOW_PRIVATE", False)
    if not inside and port not in ports:
        listed = " and ".join(str(one) for one in ports)
        raise AddressRefused(f"Only the usual ports are opened: {listed}.")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise BadAddress(detail="no name of a host") from error
    hosts = [str(sockaddr[0]) for _, _, _, _, sockaddr in found]
    if not inside and not all(is_public(one) for one in hosts):
        raise AddressRefused(detail=f"{host} leads to {', '.join(hosts)}"[:300])
    return [
        Destination(one, port, family)
        for one, (family, _, _, _, _) in zip(hosts, found, strict=True)
    ]


async def looked_up_aside(
    host: str, port: int, *, ports: Sequence[int] = WEB_PORTS, allow_private: bool = False
) -> list[Destination]:
    """``looked_up`` in a thread of its own; the caller has a deadline."""

    def look_up() -> list[Destination]:
        return looked_up(host, port, ports=ports, allow_private=allow_private)

    return await in_own_thread(look_up)


def _checked_if_known(host: str, port: int, ports: Sequence[int], allow_private: bool) -> None:
    try:
        looked_up(host, port, ports=ports, allow_private=allow_private)
    except OSError:
        return


def _is_listed(host: str, port: int) -> bool:
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    listed = getattr(settings, "ONE_HTTP_ALLOWED_HOSTS", ())
    return name.lower() in {one.lower() for one in listed} or is_operators(host, port)
