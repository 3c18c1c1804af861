"""Requests over one kept connection, as a browser with a page open makes them."""

import asyncio
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.people import CSRF, Person

ANSWER_WITHIN = 60.0  # seconds


@dataclass(slots=True)
class Answer:
    """``wire_bytes``: headers and body as they came."""

    status: int
    body: bytes
    wire_bytes: int


class HttpClient:
    """One connection to ``host`` (name:port) in the name of ``person``; not for two at once."""

    def __init__(self, host: str, person: Person) -> None:
        self.host, self.person = host, person
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open the connection now rather than with the first request. Raises OSError."""
        if self._streams is None or self._streams[1].is_closing() or self._streams[0].at_eof():
            name, _, port = self.host.partition(":")
            self._streams = await asyncio.open_connection(name, int(port), limit=2**20)
        return self._streams

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def get(self, path: str, *, fragment: bool = False) -> Answer:
        """Load a page, or the ``fragment`` htmx asks for at the same address."""
        return await self._ask("GET", path, {"HX-Request": "true"} if fragment else {}, b"")

    async def post(self, path: str, fields: Mapping[str, str]) -> Answer:
        """Post a form as htmx does. Raises OSError or TimeoutError; the connection is then gone."""
        body = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": CSRF}).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
            "Origin": f"http://{self.host}",
            "HX-Request": "true",
        }
        return await self._ask("POST", path, headers, body)

    async def _ask(self, verb: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                reader, writer = await self.connect()
                lines = [
                    f"{verb} {path} HTTP/1.1",
                    f"Host: {self.host}",
                    f"Cookie: {self.person.cookie}",
                    *(f"{name}: {value}" for name, value in headers.items()),
                ]
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                return await _read(reader)
        except asyncio.IncompleteReadError as error:
            self.close()
            raise ConnectionError("closed in the middle of an answer") from error
        except BaseException:
            self.close()
            raise


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    headers = head.lower()
    size = len(head)
    if b"transfer-encoding: chunked" in headers:
        parts: list[bytes] = []
        while True:
            line = await reader.readuntil(b"\r\n")
            part = await reader.readexactly(int(line, 16) + 2)
            size += len(line) + len(part)
            if len(part) == 2:
                break
            parts.append(part[:-2])
        return Answer(status, b"".join(parts), size)
    place = headers.find(b"content-length:")
    length = int(headers[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
    return Answer(status, await reader.readexactly(length), size + length)
