"""The one door to the web: every request to an address that people or models choose goes out here.

A name is looked up once, all its addresses are checked, and the connection goes to one of them, so
that no second look-up can answer something else. Redirects are followed by hand with the same
check. No cookies, no proxies from the environment, nothing kept between requests. Not for language
models, whose addresses the operator sets.
"""

import asyncio
import re
import socket
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from yarl import URL

from integrations_app.errors import (
    AddressRefused,
    BadAddress,
    NotReached,
    RequestFailed,
    RequestTimedOut,
    ResponseTooLarge,
    ResponseUnreadable,
    TooManyRedirects,
)
from integrations_app.providers.addresses import is_public

MAX_URL_CHARS: Final = 2_000
MAX_REDIRECTS: Final = 5
PORTS: Final = (80, 443)
USER_AGENT: Final = "ONE/0.1"

_CHUNK = 64 * 1024
# How pages are written. Python knows more, some of them (punycode) quadratic in time.
_CHARSETS: Final = re.compile(
    r"(utf[-_]?(8|16|32)|iso|latin|us-ascii|ascii|windows|cp|koi8|mac|gb|big5|euc|shift|sjis|tis)",
    re.IGNORECASE,
)
_REDIRECTS = (301, 302, 303, 307, 308)
# What may follow to another site: a key given for one is none of the other's business.
_TRAVELLING = ("accept", "accept-language", "user-agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An answer. url: after all redirects. media_type: lower case, without parameters.

    charset: as the server says, or empty. is_cut: ``body`` is only the beginning.
    """

    status: int
    url: str
    media_type: str
    charset: str
    body: bytes
    is_cut: bool = False

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text; what is none becomes U+FFFD."""
        charset = self.charset if _CHARSETS.match(self.charset) else "utf-8"
        try:
            return self.body.decode(charset, errors="replace")
        except (LookupError, ValueError):
            return self.body.decode("utf-8", errors="replace")


async def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    json: Any = None,
    timeout: float = 10.0,  # noqa: ASYNC109  the deadline is part of the contract
    max_bytes: int = 1_000_000,
    allow_private: bool = False,
    cut: bool = False,
) -> Fetched:
    """Send one request and read the answer, whatever its status.

    timeout: seconds for everything, look-up and redirects included. max_bytes: of the body, also
    once it is decompressed; a longer one is an error, or ends there with ``cut``. allow_private:
    the operator has set this address. GET and HEAD follow redirects, others return them. Raises
    BadAddress, AddressRefused, RequestFailed and its kinds.
    """
    given = dict(headers or {})
    address = _parsed(url)
    if params:
        address = address.update_query(dict(params))
    try:
        async with asyncio.timeout(timeout):
            for _ in range(MAX_REDIRECTS + 1):
                async with _request(method, address, given, json, allow_private) as response:
                    target = _target(response, method)
                    if target is None:
                        return await _read(response, max_bytes, cut)
                there = _parsed(str(address.join(URL(target))))
                if there.origin() != address.origin():
                    given = {k: v for k, v in given.items() if k.lower() in _TRAVELLING}
                address = there
    except TimeoutError as error:
        raise RequestTimedOut(detail=f"{_shown(address)}: {timeout:g} s") from error
    except (aiohttp.ClientConnectorError, socket.gaierror) as error:
        raise NotReached(detail=f"{_shown(address)}: {type(error).__name__}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise RequestFailed(detail=f"{_shown(address)}: {type(error).__name__}") from error
    except ValueError as error:
        # A header with a line break, a redirect that is no address.
        raise BadAddress(detail=f"{_shown(address)}: {type(error).__name__}") from error
    raise TooManyRedirects(detail=_shown(address))


def _parsed(url: str) -> URL:
    """The address, if it may be asked for by its form. Raises BadAddress."""
    if len(url) > MAX_URL_CHARS or any(ord(one) <= 32 or ord(one) == 127 for one in url):
        raise BadAddress(detail="too long, or with blanks")
    try:
        address = URL(url)
        port = address.port
    except ValueError as error:
        raise BadAddress(detail=str(error)[:200]) from error
    if address.scheme not in ("http", "https") or not address.host or not port:
        raise BadAddress("A web address begins with http:// or https://.")
    if address.user is not None or address.password is not None:
        raise BadAddress("A web address must not hold a name or a password.")
    return address.with_fragment(None)


def _shown(address: URL) -> str:
    """For the log: without path and query, which may hold a key."""
    return f"{address.scheme}://{address.host}:{address.port}"


@asynccontextmanager
async def _request(
    method: str, address: URL, headers: Mapping[str, str], json: Any, allow_private: bool
) -> AsyncIterator[aiohttp.ClientResponse]:
    resolver = _Checked(await _looked_up(address, allow_private))
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
    async with (
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,  # ours stops at the limit
        ) as session,
        session.request(
            method,
            address,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate", **headers},
            json=json,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as response,
    ):
        yield response


async def _looked_up(address: URL, allow_private: bool) -> list[ResolveResult]:
    """All addresses of the host, every one of them allowed. Raises AddressRefused, OSError."""
    host, port = address.host or "", address.port or 0
    is_listed = f"{host}:{port}" in getattr(settings, "ONE_HTTP_ALLOWED_HOSTS", ())
    inside = is_listed or allow_private or getattr(settings, "ONE_HTTP_ALLOW_PRIVATE", False)
    if not inside and port not in PORTS:
        raise AddressRefused("Only the usual ports of the web, 80 and 443, are opened.")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise BadAddress(detail="no name of a host") from error
    hosts = [str(sockaddr[0]) for _, _, _, _, sockaddr in found]
    if not inside and not all(is_public(one) for one in hosts):
        raise AddressRefused(detail=f"{host} leads to {', '.join(hosts)}"[:300])
    return [
        ResolveResult(
            hostname=host,
            host=one,
            port=port,
            family=family,
            proto=proto,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for one, (family, _, proto, _, _) in zip(hosts, found, strict=True)
    ]


class _Checked(AbstractResolver):
    """Answers with the addresses that were checked, and looks nothing up."""

    def __init__(self, found: list[ResolveResult]) -> None:
        self._found = found

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return self._found

    async def close(self) -> None:
        """Nothing to close."""


def _target(response: aiohttp.ClientResponse, method: str) -> str | None:
    if response.status not in _REDIRECTS or method not in ("GET", "HEAD"):
        return None
    return response.headers.get("Location")


async def _read(response: aiohttp.ClientResponse, max_bytes: int, cut: bool) -> Fetched:
    body, is_cut = bytearray(), False
    unpack = _Unpacking(response.headers.get("Content-Encoding", ""))
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += unpack(chunk, max_bytes + 1 - len(body))
        if len(body) > max_bytes:
            if not cut:
                raise ResponseTooLarge(detail=f"more than {max_bytes} bytes")
            is_cut = True
            break
    return Fetched(
        status=response.status,
        url=str(response.url),
        media_type=response.content_type.lower(),
        charset=response.charset or "",
        body=bytes(body[:max_bytes]),
        is_cut=is_cut,
    )


class _Unpacking:
    """Undoes gzip and deflate, no further than asked: a small body may be a huge one."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        if self._encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise ResponseUnreadable(detail=f"encoding {encoding[:40]}")
        self._inflate: Any = None

    def __call__(self, chunk: bytes, most: int) -> bytes:
        """The next piece, ``most`` bytes at most. Raises ResponseUnreadable."""
        if self._encoding in ("", "identity"):
            return chunk[:most]
        if self._inflate is None:
            self._inflate = zlib.decompressobj(_window(self._encoding, chunk))
        try:
            unpacked: bytes = self._inflate.decompress(self._inflate.unconsumed_tail + chunk, most)
        except zlib.error as error:
            raise ResponseUnreadable(detail=str(error)[:200]) from error
        return unpacked


def _window(encoding: str, first: bytes) -> int:
    if encoding != "deflate":
        return 16 + zlib.MAX_WBITS
    # "deflate" means zlib's format; some servers send it bare.
    is_zlib = first[:1] and first[0] & 0x0F == 8
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
