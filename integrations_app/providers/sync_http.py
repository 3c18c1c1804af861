"""The door for libraries that take a session of requests (anymail, pywebpush, apprise).

As ``guarded``: addresses checked where the connection is made, no proxies, a total deadline, a byte
cap; for blocking calls, which belong into ``threads.in_own_thread``.
"""

import threading
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from integrations_app.errors import RequestTimedOut, ResponseTooLarge
from integrations_app.providers.deadlines import CutOff, connected
from integrations_app.providers.destinations import looked_up, parsed
from integrations_app.providers.unpacking import Unpacking

TIMEOUT: Final = 20.0
MAX_BYTES: Final = 5_000_000
_PIECE: Final = 64 * 1024
_MOST_ADDRESSES: Final = 4
# The deadline of the request that this thread makes: connections are made deep inside of urllib3.
_now = threading.local()


def guarded_session(
    *, timeout: float = TIMEOUT, max_bytes: int = MAX_BYTES, allow_private: bool = False
) -> requests.Session:
    """A session that only reaches the public internet (see ``destinations``).

    timeout: seconds for each request from its look-up to the last byte of its answer; a timeout
    given with a request shortens it. Redirects are returned, not followed. Raises, besides
    requests' errors (without addresses in their words; NotConnected says that nothing was sent),
    AddressRefused, BadAddress, RequestTimedOut, ResponseTooLarge, ResponseUnreadable.
    """
    return GuardedSession(timeout=timeout, max_bytes=max_bytes, allow_private=allow_private)


class NotConnected(requests.ConnectTimeout):
    """There was no connection, or none that could be trusted: surely nothing was sent."""


class GuardedSession(requests.Session):
    """See ``guarded_session``."""

    def __init__(
        self,
        *,
        timeout: float = TIMEOUT,
        max_bytes: int = MAX_BYTES,
        allow_private: bool = False,
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["Accept-Encoding"] = "gzip, deflate"
        # Libraries forget to close their sessions; nothing is kept between requests.
        self.headers["Connection"] = "close"
        self._timeout = timeout
        self._max_bytes = max_bytes
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(allow_private))

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """As requests does, but to its end: the body is read, whatever ``stream`` says."""
        parsed(request.url or "")
        seconds = min(self._timeout, _asked(options.get("timeout")) or self._timeout)
        options |= {"stream": True, "proxies": {}, "timeout": seconds}
        _now.cut = cut = CutOff(seconds)
        try:
            response = super().send(request, **options)
            self._read(response)
        except (requests.RequestException, HTTPError, OSError) as error:
            # Their own words hold the whole address, in which there may be a key.
            name = type(error).__name__
            if not cut.is_open or "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise NotConnected(name) from None
            if cut.is_late:
                raise RequestTimedOut(detail=f"{seconds:g} s for all of it") from None
            known = isinstance(error, requests.RequestException)
            raise (type(error) if known else requests.ConnectionError)(name) from None
        finally:
            cut.done()
            _now.cut = None
        return response

    def _read(self, response: requests.Response) -> None:
        body = bytearray()
        with response:
            unpack = Unpacking(response.headers.get("Content-Encoding", ""))
            while packed := response.raw.read1(_PIECE, decode_content=False):
                for piece in unpack(packed):
                    body += piece
                    if len(body) > self._max_bytes:
                        raise ResponseTooLarge(detail=f"more than {self._max_bytes} bytes")
        if _now.cut.is_late:  # cut, which looks like an end
            raise RequestTimedOut(detail="the deadline of the whole answer")
        # What requests itself sets after reading.
        response._content, response._content_consumed = bytes(body), True

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: no redirect is followed, what was given for one site is for it alone."""
        return None


def _asked(timeout: Any) -> float | None:
    """The longer part of a timeout as requests takes it."""
    parts = timeout if isinstance(timeout, tuple) else (timeout,)
    return max((float(one) for one in parts if one), default=None)


class _Adapter(HTTPAdapter):
    """No retries, no proxies, and connections of ours."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        manager: PoolManager = self.poolmanager
        kinds = _PRIVATE if self._allow_private else _PUBLIC
        manager.pool_classes_by_scheme = kinds


class _Checked(HTTPConnection):
    """Connects to an address that was checked."""

    allow_private = False

    def _new_conn(self) -> Any:
        try:
            found = looked_up(self.host, self.port or 0, allow_private=self.allow_private)
        except OSError as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        seconds = self.timeout if isinstance(self.timeout, int | float) else TIMEOUT
        failed: OSError | None = None
        for one in found[:_MOST_ADDRESSES]:
            try:
                made = connected(one.address, one.port, seconds / len(found))
            except OSError as error:
                failed = error
                continue
            made.settimeout(seconds)
            cut: CutOff | None = getattr(_now, "cut", None)
            if cut is not None:
                cut.watch(made)
            return made
        raise NewConnectionError(self, "no connection") from failed


class _CheckedTls(HTTPSConnection, _Checked):
    """The same below TLS, whose name is still that of the host."""

    _new_conn = _Checked._new_conn


class _Private(_Checked):
    allow_private = True


class _PrivateTls(_CheckedTls):
    allow_private = True


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Checked


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedTls


class _PrivatePool(HTTPConnectionPool):
    ConnectionCls = _Private


class _PrivateTlsPool(HTTPSConnectionPool):
    ConnectionCls = _PrivateTls


_PUBLIC = {"http": _Pool, "https": _TlsPool}
_PRIVATE = {"http": _PrivatePool, "https": _PrivateTlsPool}
