"""The door for libraries that take a client of httpx2 (mcp, authlib), and for our own requests.

Addresses are checked where the connection is made, so that no library can leave the check out and
every hop of a redirect is covered. No proxies from the environment, no cookies kept, a deadline for
the whole of each answer, and as many bytes of it as asked for, also once they are unpacked.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpcore2
import httpx2

from integrations_app.errors import AddressRefused, RequestTimedOut, ResponseTooLarge
from integrations_app.providers.destinations import Destination, looked_up_aside, parsed, port_of
from integrations_app.providers.unpacking import Unpacking

MAX_BYTES: Final = 10_000_000
MAX_REDIRECTS: Final = 5
USER_AGENT: Final = "ONE/0.1"
# Of a name with many addresses, so many are tried.
_MOST_ADDRESSES: Final = 4
_EVENT_STREAM: Final = "text/event-stream"


def guarded_client(
    *,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    allow_private: bool = False,
    max_bytes: int = MAX_BYTES,
    auth: httpx2.Auth | None = None,
) -> httpx2.AsyncClient:
    """A client that only reaches the public internet (see ``destinations``).

    timeout: seconds for each answer from its request to its last byte; a stream of events
    (``text/event-stream``) only has to begin within it, who reads one brings the deadline.
    max_bytes: of one answer, unpacked. Redirects are followed within the same site only: the
    headers given here are for it alone. Raises, besides httpx2's errors, AddressRefused,
    BadAddress, RequestTimedOut, ResponseTooLarge, ResponseUnreadable.
    """
    client = httpx2.AsyncClient(
        transport=Door(timeout=timeout, max_bytes=max_bytes, allow_private=allow_private),
        timeout=timeout,
        headers={"User-Agent": USER_AGENT, **(headers or {})},
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        event_hooks={"response": [_stay]},
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        auth=auth,
        trust_env=False,
    )
    # Its own has no place for compressions it unpacks without a limit.
    client.headers["Accept-Encoding"] = "gzip, deflate"
    return client


async def _stay(response: httpx2.Response) -> None:
    """Refuse a redirect to another site."""
    if response.has_redirect_location:
        there = response.url.join(response.headers["Location"])
        if origin(there) != origin(response.url):
            raise AddressRefused(detail="a redirect to another site")


def origin(address: httpx2.URL) -> tuple[str, str, int]:
    """Scheme, host and port: what a site is."""
    return address.scheme, address.host.lower(), port_of(address)


class Door(httpx2.AsyncHTTPTransport):
    """A transport whose connections are checked and whose answers end. See ``guarded_client``."""

    def __init__(
        self, *, timeout: float | None, max_bytes: int | None, allow_private: bool = False
    ) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        # No public way to give it one; tests/integrations/test_doors.py sees when it is gone.
        self._pool._network_backend = _Checked(allow_private)
        self._timeout = timeout
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        parsed(str(request.url))
        end = None if self._timeout is None else asyncio.get_running_loop().time() + self._timeout
        async with _until(end):
            response = await super().handle_async_request(request)
        try:
            unpacking = Unpacking(response.headers.pop("Content-Encoding", ""))
        except BaseException:
            await response.aclose()
            raise
        if response.headers.get("Content-Type", "").startswith(_EVENT_STREAM):
            end = None
        response.stream = _Body(response.stream, unpacking, end, self._max_bytes)
        return response


class _Body(httpx2.AsyncByteStream):
    """An answer's body: unpacked piece by piece, until ``end`` (loop time), ``most`` bytes."""

    def __init__(
        self, packed: Any, unpacking: Unpacking, end: float | None, most: int | None
    ) -> None:
        self._packed, self._unpacking, self._end, self._most = packed, unpacking, end, most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        pieces = aiter(self._packed)
        async with aclosing(pieces):
            while True:
                async with _until(self._end):
                    packed = await anext(pieces, None)
                if packed is None:
                    return
                for piece in self._unpacking(packed):
                    read += len(piece)
                    if self._most is not None and read > self._most:
                        raise ResponseTooLarge(detail=f"more than {self._most} bytes")
                    yield piece

    async def aclose(self) -> None:
        await self._packed.aclose()


class _until:  # noqa: N801  reads as a word, like asyncio.timeout_at
    """``asyncio.timeout_at`` that raises our error."""

    def __init__(self, end: float | None) -> None:
        self._timeout = asyncio.timeout_at(end)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise RequestTimedOut(detail="the deadline of the whole answer") from late


class _Checked(httpcore2.AnyIOBackend):
    """Connects to addresses that were checked, and to nothing on this machine's file system."""

    def __init__(self, allow_private: bool) -> None:
        super().__init__()
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                found = await looked_up_aside(host, port, allow_private=self._allow_private)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout("the name was not looked up in time") from error
        except OSError as error:
            raise httpcore2.ConnectError("the name is not known") from error
        return await self._first(found[:_MOST_ADDRESSES], timeout, socket_options)

    async def _first(
        self, found: list[Destination], limit: float | None, socket_options: Iterable[Any] | None
    ) -> httpcore2.AsyncNetworkStream:
        for left, one in zip(range(len(found), 0, -1), found, strict=True):
            try:
                return await super().connect_tcp(
                    one.address,
                    one.port,
                    # A silent address must not use up the time of those after it.
                    timeout=None if limit is None else limit / len(found),
                    socket_options=socket_options,
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if left == 1:
                    raise
        raise httpcore2.ConnectError("the name has no address")

    async def connect_unix_socket(self, *args: Any, **options: Any) -> Any:
        raise AddressRefused(detail="a socket of this machine")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificates of authorities takes longer than a request."""
    return httpx2.create_ssl_context(trust_env=False)
