"""The one door to the web: every request to an address that people or models choose goes out here.

``destinations`` says where it may go; ``guarded`` connects. Redirects are followed by hand with the
same check. No cookies, no proxies from the environment, nothing kept between requests. Not for
language models, whose addresses the operator sets.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import httpx2

from integrations_app.errors import (
    BadAddress,
    NotReached,
    RequestFailed,
    RequestTimedOut,
    ResponseTooLarge,
    TooManyRedirects,
)
from integrations_app.providers.destinations import (
    MAX_URL_CHARS,
    check_address,
    check_host,
    parsed,
    port_of,
)
from integrations_app.providers.guarded import MAX_REDIRECTS, USER_AGENT, Door, origin

__all__ = ["MAX_URL_CHARS", "USER_AGENT", "Fetched", "check_address", "check_host", "fetch"]

# How pages are written. Python knows more, some of them (punycode) quadratic in time.
_CHARSETS: Final = re.compile(
    r"(utf[-_]?(8|16|32)|iso|latin|us-ascii|ascii|windows|cp|koi8|mac|gb|big5|euc|shift|sjis|tis)",
    re.IGNORECASE,
)
_REDIRECTS = (301, 302, 303, 307, 308)
# What may follow to another site: a key given for one is none of the other's business.
_TRAVELLING = ("accept", "accept-language", "user-agent")
# Once this is said by the transport, the server may have got the request.
_SENDING: Final = "http11.send_request_headers.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An answer. url: after all redirects. media_type: lower case, without parameters.

    charset: as the server says, or empty. headers: names in lower case. is_cut: ``body`` is only
    the beginning.
    """

    status: int
    url: str
    media_type: str
    charset: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
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
    content: bytes | str | None = None,
    form: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109  the deadline is part of the contract
    max_bytes: int = 1_000_000,
    allow_private: bool = False,
    cut: bool = False,
) -> Fetched:
    """Send one request and read the answer, whatever its status.

    json, content (as it is; bring a Content-Type) or form (url-encoded): the body. timeout: seconds
    for everything, look-up and redirects included. max_bytes: of the body, also once it is
    unpacked; a longer one is an error, or ends there with ``cut``. allow_private: the operator has
    set this address. GET and HEAD follow redirects, others return them. Raises BadAddress,
    AddressRefused, RequestFailed and its kinds; of those only NotReached says that surely nothing
    was sent.
    """
    given = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate", **(headers or {})}
    body = _body(given, json, content, form)
    address = parsed(url)
    if params:
        address = address.copy_merge_params(dict(params))
    sent: list[str] = []
    try:
        async with (
            asyncio.timeout(timeout),
            Door(timeout=None, max_bytes=None, allow_private=allow_private) as door,
        ):
            for _ in range(MAX_REDIRECTS + 1):
                request = _request(method, address, given, body, timeout, sent)
                response = await door.handle_async_request(request)
                try:
                    target = _target(response, method)
                    if target is None:
                        return await _read(response, address, max_bytes, cut)
                finally:
                    await response.aclose()
                there = parsed(str(address.join(target)))
                if origin(there) != origin(address):
                    given = {k: v for k, v in given.items() if k.lower() in _TRAVELLING}
                    given["Accept-Encoding"] = "gzip, deflate"
                    body = {}
                address = there
    except (TimeoutError, httpx2.TimeoutException) as error:
        if not sent:
            raise NotReached(detail=f"{_shown(address)}: no connection in time") from error
        raise RequestTimedOut(detail=f"{_shown(address)}: {timeout:g} s") from error
    except (httpx2.LocalProtocolError, httpx2.InvalidURL, ValueError) as error:
        # A header with a line break, a redirect that is no address.
        raise BadAddress(detail=f"{_shown(address)}: {type(error).__name__}") from error
    except (httpx2.HTTPError, OSError) as error:
        failed = RequestFailed if sent else NotReached
        raise failed(detail=f"{_shown(address)}: {type(error).__name__}") from error
    raise TooManyRedirects(detail=_shown(address))


def _body(
    given: dict[str, str],
    json: Any,
    content: bytes | str | None,
    form: Mapping[str, str] | Sequence[tuple[str, str]] | None,
) -> dict[str, Any]:
    """The body as httpx2 takes it; ``given`` gets the type of a form."""
    if form is not None:
        given.setdefault("Content-Type", "application/x-www-form-urlencoded")
        return {"content": urlencode(form if isinstance(form, Sequence) else dict(form)).encode()}
    if content is not None:
        return {"content": content}
    return {} if json is None else {"json": json}


def _request(
    method: str,
    address: httpx2.URL,
    headers: Mapping[str, str],
    body: Mapping[str, Any],
    limit: float,
    sent: list[str],
) -> httpx2.Request:
    async def note(event: str, info: Mapping[str, Any]) -> None:
        if event == _SENDING:
            sent.append(event)

    for name, value in headers.items():
        if any(one in f"{name}{value}" for one in "\r\n\0"):
            raise ValueError("a line break in a header")
    extensions = {"trace": note, "timeout": dict.fromkeys(_PHASES, limit)}
    return httpx2.Request(method, address, headers=headers, extensions=extensions, **body)


_PHASES = ("connect", "read", "write", "pool")


def _shown(address: httpx2.URL) -> str:
    """For the log: without path and query, which may hold a key."""
    return f"{address.scheme}://{address.host}:{port_of(address)}"


def _target(response: httpx2.Response, method: str) -> str | None:
    if response.status_code not in _REDIRECTS or method not in ("GET", "HEAD"):
        return None
    found: str | None = response.headers.get("Location")
    return found


async def _read(
    response: httpx2.Response, address: httpx2.URL, max_bytes: int, cut: bool
) -> Fetched:
    body, is_cut = bytearray(), False
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > max_bytes:
            if not cut:
                raise ResponseTooLarge(detail=f"more than {max_bytes} bytes")
            is_cut = True
            break
    media_type = response.headers.get("Content-Type", "application/octet-stream")
    return Fetched(
        status=response.status_code,
        url=str(address),
        media_type=media_type.partition(";")[0].strip().lower(),
        charset=response.charset_encoding or "",
        body=bytes(body[:max_bytes]),
        headers={name.lower(): value for name, value in response.headers.items()},
        is_cut=is_cut,
    )
