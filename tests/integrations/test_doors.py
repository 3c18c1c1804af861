"""All doors: where none of them leads, where each of them stops."""

import asyncio
import gzip
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import httpx2
import pytest
import requests
from aiohttp import web

from integrations_app.errors import (
    AddressRefused,
    BadAddress,
    RequestTimedOut,
    ResponseTooLarge,
)
from integrations_app.providers.aio_session import guarded_aiohttp_session
from integrations_app.providers.destinations import MAIL_PORTS, check_address, check_host
from integrations_app.providers.guarded import guarded_client
from integrations_app.providers.http import fetch
from integrations_app.providers.places import base_url
from integrations_app.providers.smtp_door import GuardedSmtp, GuardedSmtpSsl, open_smtp
from integrations_app.providers.sync_http import NotConnected, guarded_session
from integrations_app.providers.threads import in_own_thread
from tests.integrations.ways_inside import ADDRESSES, HOSTS, url_of
from tests.integrations.web_server import running_web_server

Door = Callable[[str], Awaitable[Any]]


async def by_fetch(url: str) -> bytes:
    return (await fetch(url, timeout=3, max_bytes=1_000)).body


async def by_client(url: str) -> bytes:
    async with guarded_client(timeout=3, max_bytes=1_000) as client:
        return (await client.get(url)).content


async def by_session(url: str) -> bytes:
    session = guarded_session(timeout=3, max_bytes=1_000)
    return (await in_own_thread(session.get, url)).content


async def by_aiohttp(url: str) -> bytes:
    async with guarded_aiohttp_session(timeout=3) as session, session.get(url) as response:
        return await response.read()


DOORS: list[Door] = [by_fetch, by_client, by_session, by_aiohttp]
each_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
REFUSED = (AddressRefused, BadAddress)
# Forms that a library does not even take.
NOT_TAKEN = (
    *REFUSED, httpx2.InvalidURL, httpx2.UnsupportedProtocol, aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError, requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
)  # fmt: skip


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Addresses that anything tries to connect to; every attempt fails."""
    found: list[Any] = []

    def connect(self: socket.socket, address: Any) -> None:
        found.append(address[:2])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return found


EVERY = [*map(url_of, HOSTS), *ADDRESSES]


@each_door
async def test_no_door_leads_inside(connects: list[Any], door: Door) -> None:
    opened = []
    for url in EVERY:
        try:
            await door(url)
        except NOT_TAKEN:
            continue
        opened.append(url)
    assert (opened, connects) == ([], [])


def refused(check: Callable[..., object], *args: Any) -> bool:
    try:
        check(*args)
    except REFUSED:
        return True
    return False


def test_mail_servers_inside_are_refused_when_saved_and_when_used(connects: list[Any]) -> None:
    for host in HOSTS:
        assert refused(GuardedSmtp, host, 587), host
        assert refused(GuardedSmtpSsl, host, 465), host
        assert all(refused(check_host, host, port) for port in MAIL_PORTS), host
    assert connects == []


def test_no_address_inside_is_saved(connects: list[Any]) -> None:
    assert [url for url in EVERY if not refused(check_address, url)] == []
    assert connects == []


@pytest.mark.parametrize(
    ("host", "port"),
    [("mail.test", 22), ("mail.test", 6379), ("", 25), ("a b", 25), ("a\r\nb", 25), ("a@b", 25),
     ("a/b", 25), ("mail.test", 0), ("mail.test", 70_000), ("x" * 300, 25)],
)  # fmt: skip
def test_what_is_no_mail_server_is_refused(host: str, port: int) -> None:
    with pytest.raises(REFUSED):
        check_host(host, port)


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The n-th look-up of a name ending in .test gives the n-th answer; names asked for."""
    real, asked = socket.getaddrinfo, []

    def look_up(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if not str(host).endswith(".test"):
            return real(host, port, *args, **options)
        asked.append(str(host))
        found = answers[min(len(asked), len(answers)) - 1]
        return [one for host in found for one in real(host, port, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@each_door
async def test_the_address_that_was_checked_is_the_one_connected_to(
    connects: list[Any], monkeypatch: pytest.MonkeyPatch, door: Door
) -> None:
    """A name that answers with a public address first and a private one later."""
    asked = names(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    with pytest.raises(Exception):  # noqa: B017  each library has its own for no connection
        await door("http://rebind.test/")
    assert asked == ["rebind.test"]
    assert set(connects) == {("8.8.8.8", 80)}


def test_mail_goes_to_the_address_that_was_checked(
    connects: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = names(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    with pytest.raises(ConnectionRefusedError):
        open_smtp("rebind.test", 587)
    assert asked == ["rebind.test"]
    assert connects == [("8.8.8.8", 587)]


@each_door
async def test_one_private_address_among_public_ones_is_enough(
    connects: list[Any], monkeypatch: pytest.MonkeyPatch, door: Door
) -> None:
    names(monkeypatch, ["8.8.8.8", "127.0.0.1"])
    with pytest.raises(AddressRefused):
        await door("http://mixed.test/")
    with pytest.raises(AddressRefused):
        check_host("mixed.test", 587)
    assert connects == []


@each_door
async def test_redirects_lead_inside_nowhere(settings: Any, door: Door) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="inside")

    async with running_web_server(hello) as target:

        async def away(request: web.Request) -> web.Response:
            raise web.HTTPFound(target.url)

        async with running_web_server(away) as server:
            settings.ONE_HTTP_ALLOWED_HOSTS = (server.address,)
            # Some doors refuse, one returns the redirect as it is.
            with suppress(AddressRefused):
                assert await door(server.url) == b"302: Found"
    assert (len(server.requests), target.requests) == (1, [])


@each_door
async def test_listed_hosts_and_the_operators_places_are_opened(
    settings: Any, monkeypatch: pytest.MonkeyPatch, door: Door
) -> None:
    """Without the environment's proxies."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async with running_web_server(hello) as server:
        settings.ONE_PROVIDER_URLS = {"slack": f"{server.url}/api/"}
        assert base_url("slack") == f"{server.url}/api"
        assert await door(base_url("slack")) == b"hello"
        settings.ONE_PROVIDER_URLS = {}
        with pytest.raises(AddressRefused):
            await door(server.url)
        settings.ONE_HTTP_ALLOWED_HOSTS = (server.address,)
        assert await door(server.url) == b"hello"


@pytest.fixture
def inside(settings: Any) -> None:
    settings.ONE_HTTP_ALLOW_PRIVATE = True


@pytest.mark.parametrize("door", DOORS[:3], ids=lambda door: door.__name__)
async def test_answers_are_cut_where_they_are_too_large_also_unpacked(
    inside: None, door: Door
) -> None:
    async def large(request: web.Request) -> web.Response:
        packed = gzip.compress(b"x" * 20_000_000)
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with running_web_server(large) as server:
        with pytest.raises(ResponseTooLarge):
            await door(server.url)


async def dripping(request: web.Request) -> web.StreamResponse:
    """A byte now and then, for ever: each one starts a timeout of a socket anew."""
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"a")
            await asyncio.sleep(0.05)
    except ConnectionError:
        return response


async def test_a_server_that_drips_is_left_at_the_deadline(inside: None) -> None:
    async with running_web_server(dripping) as server:
        begun = time.monotonic()
        with pytest.raises(RequestTimedOut):
            await fetch(server.url, timeout=0.3)
        async with guarded_client(timeout=0.3) as client:
            with pytest.raises(RequestTimedOut):
                await client.get(server.url)
        with pytest.raises(RequestTimedOut):
            await in_own_thread(guarded_session(timeout=0.3).get, server.url)
        with pytest.raises(RequestTimedOut):
            await in_own_thread(guarded_session().get, server.url, timeout=0.3)
        assert time.monotonic() - begun < 5


async def test_a_stream_of_events_lasts_as_long_as_its_reader_wants(inside: None) -> None:
    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(8):
            await response.write(b"data: x\n\n")
            await asyncio.sleep(0.05)
        return response

    async with (
        running_web_server(events) as server,
        guarded_client(timeout=0.2) as client,
        client.stream("GET", server.url) as response,
    ):
        lines = [one async for one in response.aiter_lines() if one]
    assert len(lines) == 8


async def test_a_key_in_a_header_does_not_follow_to_another_site(inside: None) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response()

    async with running_web_server(hello) as target:

        async def away(request: web.Request) -> web.Response:
            response = web.Response(
                status=307, headers={"Location": "/mcp" if request.path == "/" else target.url}
            )
            response.set_cookie("kept", "no")
            return response

        async with running_web_server(away) as server:
            async with guarded_client(timeout=3, headers={"X-Key": "k"}) as client:
                with pytest.raises(AddressRefused):
                    await client.post(server.url, json={})
            session = guarded_session(timeout=3)
            session.headers["X-Key"] = "k"
            assert (await in_own_thread(session.post, server.url, json={})).status_code == 307
    assert target.requests == []
    assert [one[1] for one in server.requests] == ["/", "/mcp", "/"]
    assert all(one[2]["X-Key"] == "k" for one in server.requests)
    assert "Cookie" not in server.requests[1][2]


class MailServer(threading.Thread):
    """Says its lines to whoever comes, one every ``every`` seconds; in TLS with a certificate."""

    def __init__(self, every: float = 0.05, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self._every, self._tls = every, tls

    def run(self) -> None:
        made, _ = self.listening.accept()
        try:
            if self._tls is not None:
                made = self._tls.wrap_socket(made, server_side=True)
            for _ in range(1_000):
                made.sendall(b"220-still here\r\n")
                time.sleep(self._every)
        except OSError:
            return
        finally:
            made.close()
            self.listening.close()


def test_a_mail_server_that_drips_is_left_at_the_deadline(settings: Any) -> None:
    server = MailServer()
    server.start()
    settings.ONE_HTTP_ALLOWED_HOSTS = (f"127.0.0.1:{server.port}",)
    begun = time.monotonic()
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        open_smtp("127.0.0.1", server.port, timeout=0.3)
    assert time.monotonic() - begun < 3
    server.join(timeout=5)


def test_the_certificate_of_a_mail_server_is_checked(settings: Any, tmp_path: Any) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made_certificate(tmp_path))
    server = MailServer(tls=tls)
    server.start()
    settings.ONE_HTTP_ALLOWED_HOSTS = (f"127.0.0.1:{server.port}",)
    with pytest.raises(ssl.SSLCertVerificationError):
        open_smtp("127.0.0.1", server.port, security="tls", timeout=3)
    server.join(timeout=5)


def made_certificate(folder: Any) -> str:
    """A certificate that nobody has signed, with its key, as a file."""
    from datetime import timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID
    from django.utils import timezone

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(timezone.now() - timedelta(days=1))
        .not_valid_after(timezone.now() + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return str(path)


async def test_slow_calls_do_not_keep_others_waiting() -> None:
    """More of them than a shared pool has threads."""
    gate, waiting = threading.Event(), 60
    slow = [in_own_thread(gate.wait, 10) for _ in range(waiting)]
    assert await asyncio.wait_for(in_own_thread(lambda: "quick"), 5) == "quick"
    gate.set()
    assert await asyncio.gather(*slow) == [True] * waiting


async def test_whether_anything_was_sent_is_told_without_the_address(inside: None) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response()

    async with running_web_server(hello) as server:
        pass
    for url in (f"{server.url}/key-in-path", "http://no-such-name.invalid/key-in-path"):
        with pytest.raises(NotConnected) as caught:
            await in_own_thread(guarded_session().post, url, json={})
        assert "key-in-path" not in str(caught.value)


async def test_what_a_thread_raises_is_raised_here() -> None:
    def broken() -> None:
        raise AddressRefused(detail="x")

    with pytest.raises(AddressRefused):
        await in_own_thread(broken)
