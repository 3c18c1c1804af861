"""The one door to the web: what it opens, what it refuses, where it stops."""

import asyncio
import gzip
import zlib

import pytest
from aiohttp import web

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
from integrations_app.providers.http import Fetched, check_address, fetch
from tests.integrations.web_server import running_web_server


async def hello(request):
    return web.Response(text="<p>hé", content_type="text/html", charset="latin-1")


async def test_nothing_on_this_machine_is_opened():
    async with running_web_server(hello) as server:
        for url in (server.url, "http://127.0.0.1/", "http://localhost/", "http://[::1]/"):
            with pytest.raises(AddressRefused):
                await fetch(url)
        assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.1/", "http://2130706433/", "http://0x7f.1/", "http://0/", "http://017700000001/",
        "http://[::ffff:127.0.0.1]/", "http://169.254.169.254/latest/", "http://[64:ff9b::7f00:1]/",
        "http://127。0。0。1/", "http://10.0.0.1:80/", "https://192.168.0.1/", "http://8.8.8.8:22/",
        "http://0.0.0.0/", "http://[fe80::1]/",
    ],
)  # fmt: skip
async def test_ways_inside_are_refused(url):
    with pytest.raises((AddressRefused, BadAddress)):
        await fetch(url)


@pytest.mark.parametrize(
    "url",
    ["", "x", "file:///etc/passwd", "gopher://example.test/", "ftp://example.test/", "http://",
     "http://user:pw@example.test/", "http://user@example.test/", "http://a b/",
     "http://example.test\\@elsewhere.test/",
     "http://a/\r\nX: y", "http://example.test:0/",
     "http://example.test:99999/", "//example.test/", "javascript:x",
     "http://example.test/" + "x" * 2_000, "http://[::1"],
)  # fmt: skip
async def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(BadAddress):
        await fetch(url)


@pytest.fixture
def inside(settings):
    settings.ONE_HTTP_ALLOW_PRIVATE = True


async def test_an_answer(inside):
    async with running_web_server(hello) as server:
        found = await fetch(f"{server.url}/a?b=1#top", params={"c": "ü"}, headers={"X-Key": "k"})
    assert (found.status, found.media_type, found.charset) == (200, "text/html", "latin-1")
    assert found.is_ok
    assert found.text == "<p>hé"
    method, path, headers, _ = server.requests[0]
    assert (method, path) == ("GET", "/a?b=1&c=%C3%BC")
    assert headers["X-Key"] == "k"
    assert "Cookie" not in headers


async def test_a_listed_host_is_opened_and_no_other(settings):
    async with running_web_server(hello) as listed, running_web_server(hello) as other:
        settings.ONE_HTTP_ALLOWED_HOSTS = (listed.address,)
        assert (await fetch(listed.url)).is_ok
        with pytest.raises(AddressRefused):
            await fetch(other.url)


async def test_json_is_posted_and_a_redirect_of_it_not_followed(inside):
    async def elsewhere(request):
        return web.Response(status=307, headers={"Location": "/other"})

    async with running_web_server(elsewhere) as server:
        found = await fetch(server.url, method="POST", json={"text": "hi"})
    assert found.status == 307
    assert [(one[0], one[3]) for one in server.requests] == [("POST", b'{"text":"hi"}')]


async def test_a_redirect_inside_is_refused_at_its_hop(settings):
    async with running_web_server(hello) as target:

        async def away(request):
            raise web.HTTPFound(target.url)

        async with running_web_server(away) as server:
            settings.ONE_HTTP_ALLOWED_HOSTS = (server.address,)
            with pytest.raises(AddressRefused):
                await fetch(server.url)
        assert target.requests == []


async def test_a_key_stays_with_its_site(inside):
    async with running_web_server(hello) as target:

        async def away(request):
            raise web.HTTPFound("/next" if request.path == "/" else target.url)

        headers = {"Authorization": "Bearer k", "Accept": "text/html"}
        async with running_web_server(away) as server:
            found = await fetch(server.url, headers=headers, json={"for": "the first"})
    assert found.url.rstrip("/") == target.url
    assert [one[2].get("Authorization") for one in server.requests] == ["Bearer k", "Bearer k"]
    (asked,) = target.requests
    assert (server.requests[1][3], asked[3]) == (b'{"for":"the first"}', b"")
    assert "Authorization" not in asked[2]
    assert asked[2]["Accept"] == "text/html"


@pytest.mark.parametrize("where", ["/again", "file:///etc/passwd", "http://u:p@127.0.0.1/"])
async def test_redirects_end(inside, where):
    async def again(request):
        return web.Response(status=302, headers={"Location": where})

    async with running_web_server(again) as server:
        with pytest.raises((TooManyRedirects, BadAddress)):
            await fetch(server.url)
    assert len(server.requests) <= 6


PACKED = {
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


@pytest.mark.parametrize("encoding", list(PACKED))
async def test_size_is_limited_also_unpacked(inside, encoding):
    async def large(request):
        size = 20_000_000 if request.path == "/large" else 1_000
        packed = PACKED[encoding](b"x" * size)
        return web.Response(body=packed, headers={"Content-Encoding": encoding})

    async with running_web_server(large) as server:
        assert (await fetch(server.url, max_bytes=1_000)).body == b"x" * 1_000
        with pytest.raises(ResponseTooLarge):
            await fetch(f"{server.url}/large")
        found = await fetch(f"{server.url}/large", max_bytes=5, cut=True)
    assert (found.body, found.is_cut) == (b"xxxxx", True)


@pytest.mark.parametrize("encoding", ["br", "gzip", "gzip, gzip"])
async def test_what_cannot_be_unpacked_is_said(inside, encoding):
    async def odd(request):
        return web.Response(body=b"no such thing", headers={"Content-Encoding": encoding})

    async with running_web_server(odd) as server:
        with pytest.raises(ResponseUnreadable):
            await fetch(server.url)


async def test_time_is_limited_for_all_of_it(inside):
    gone = asyncio.Event()

    async def slow(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"a")
        await gone.wait()
        return response

    async with running_web_server(slow) as server:
        with pytest.raises(RequestTimedOut):
            await fetch(server.url, timeout=0.2)
        gone.set()


async def test_a_closed_port_and_a_bad_header_are_typed(inside):
    async with running_web_server(hello) as server:
        with pytest.raises(BadAddress):
            await fetch(server.url, headers={"X": "a\r\nY: b"})
    with pytest.raises(RequestFailed):
        await fetch(server.url)


def test_what_is_saved_is_checked_as_what_is_sent(settings):
    with pytest.raises(AddressRefused):
        check_address("http://127.0.0.1/hook")
    with pytest.raises(BadAddress):
        check_address("file:///etc/passwd")
    with pytest.raises(AddressRefused):
        check_address("https://example.test:22/")
    settings.ONE_PROVIDER_URLS = {"slack": "http://127.0.0.1:9000/api"}
    check_address("http://127.0.0.1:9000/x")


async def test_a_form_and_raw_bytes_are_sent_and_headers_come_back(inside):
    async def answer(request):
        return web.Response(status=201, headers={"X-Request-Id": "r1", "Retry-After": "2"})

    async with running_web_server(answer) as server:
        found = await fetch(server.url, method="POST", form=[("a", "1 ü"), ("a", "2")])
        await fetch(server.url, method="PUT", content=b"\x00raw", headers={"Content-Type": "a/b"})
    assert (found.headers["x-request-id"], found.headers["retry-after"]) == ("r1", "2")
    form, raw = server.requests
    assert form[2]["Content-Type"] == "application/x-www-form-urlencoded"
    assert form[3] == b"a=1+%C3%BC&a=2"
    assert (raw[0], raw[2]["Content-Type"], raw[3]) == ("PUT", "a/b", b"\x00raw")


async def test_whether_anything_was_sent_is_told(inside):
    async def reset(request):
        request.transport.abort()
        return web.Response()

    async with running_web_server(reset) as server:
        with pytest.raises(RequestFailed) as after:
            await fetch(server.url, method="POST", json={})
    with pytest.raises(NotReached):
        await fetch(server.url, method="POST", json={})
    with pytest.raises(NotReached):
        await fetch("http://no-such-name.invalid/")
    assert not isinstance(after.value, NotReached)


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "hex", "no-such", ""])
def test_a_charset_that_no_page_is_written_in_is_not_tried(charset):
    # As punycode this takes longer than anybody waits.
    body = b"x-" + b"a" * 1_000_000
    found = Fetched(status=200, url="", media_type="text/html", charset=charset, body=body)
    assert found.text == body.decode()


@pytest.mark.parametrize(
    ("charset", "body"), [("Windows-1251", b"\xcf"), ("utf-16", b"\xff\xfe\x1f\x04")]
)
def test_a_charset_of_pages_is_read(charset, body):
    found = Fetched(status=200, url="", media_type="text/html", charset=charset, body=body)
    assert found.text == "П"
