"""A WebSocket client (RFC 6455, 7692) that does as little as it can, so that thousands fit."""

import asyncio
import base64
import os
import struct
import zlib
from collections.abc import Callable

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
OPEN_WITHIN = 20.0  # seconds


class Refused(ConnectionError):
    """The server answered the handshake with something else than 101."""


class WebSocket(asyncio.Protocol):
    """One socket. ``on_text`` gets each text message; ``on_end`` its close code (1006 if none).

    ``wire_bytes`` counts what came after the handshake, ``payload_bytes`` the texts in UTF-8.
    """

    def __init__(
        self, on_text: Callable[[bytes], None], on_end: Callable[[int], None] | None = None
    ) -> None:
        self.wire_bytes = self.payload_bytes = self.messages = 0
        self.deflated = False
        self.close_code = 1006
        self._on_text, self._on_end = on_text, on_end
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._parts: list[bytes] = []
        self._compressed = False
        self._inflate = zlib.decompressobj(-15)
        self._transport: asyncio.Transport | None = None

    async def open(
        self, host: str, path: str, *, cookie: str = "", deflate: bool = False
    ) -> "WebSocket":
        """Connect to ``host`` (name:port) as a page of that host would. Raises OSError."""
        name, _, port = host.partition(":")
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(OPEN_WITHIN):
            self._transport, _ = await loop.create_connection(lambda: self, name, int(port))
            key = base64.b64encode(os.urandom(16)).decode()
            self._transport.write(
                (
                    f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
                    f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                    f"Sec-WebSocket-Version: 13\r\nOrigin: http://{host}\r\n"
                    f"{DEFLATE if deflate else ''}Cookie: {cookie}\r\n\r\n"
                ).encode()
            )
            await self._opened
        return self

    def send(self, text: bytes) -> None:
        self._send(TEXT, text)

    def close(self) -> None:
        """End at once, as a lost connection does."""
        if self._transport:
            self._transport.abort()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def _send(self, opcode: int, data: bytes) -> None:
        if not self.is_open or self._transport is None:
            return
        mask = os.urandom(4)
        size = len(data)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65_536:
            head += b"\xfe" + struct.pack(">H", size)
        else:
            head += b"\xff" + struct.pack(">Q", size)
        masked = bytes(byte ^ mask[place & 3] for place, byte in enumerate(data))
        self._transport.write(head + mask + masked)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._opened.done():
            self._opened.set_exception(Refused("closed during the handshake"))
        elif self._on_end:
            self._on_end(self.close_code)

    def data_received(self, data: bytes) -> None:
        if self._opened.done():
            self.wire_bytes += len(data)
        buffer = self._buffer + data if self._buffer else data
        if not self._opened.done():
            head, found, buffer = buffer.partition(b"\r\n\r\n")
            if not found:
                self._buffer = head
                return
            if not self._accept(head):
                return
            self.wire_bytes += len(buffer)
        self._buffer = buffer[self._read_frames(buffer) :]

    def _accept(self, head: bytes) -> bool:
        if not head.startswith(b"HTTP/1.1 101"):
            status = head.split(b"\r\n", 1)[0].decode("latin-1")
            self._opened.set_exception(Refused(status))
            self.close()
            return False
        self.deflated = b"permessage-deflate" in head
        self._opened.set_result(None)
        return True

    def _read_frames(self, buffer: bytes) -> int:
        """Take all whole frames; returns where the rest begins."""
        at, end = 0, len(buffer)
        while end - at >= 2:
            size, begin = buffer[at + 1] & 0x7F, at + 2
            if size == 126:
                begin += 2
                size = int.from_bytes(buffer[at + 2 : begin], "big") if begin <= end else end
            elif size == 127:
                begin += 8
                size = int.from_bytes(buffer[at + 2 : begin], "big") if begin <= end else end
            if begin + size > end:
                break
            self._take(buffer[at], buffer[begin : begin + size])
            at = begin + size
        return at

    def _take(self, first: int, data: bytes) -> None:
        opcode = first & 0x0F
        if opcode == PING:
            self._send(PONG, data)
        elif opcode == CLOSE:
            self.close_code = int.from_bytes(data[:2], "big") if len(data) > 1 else 1005
            self.close()
        elif opcode < CLOSE:
            if opcode:
                self._compressed = bool(first & 0x40)
            self._parts.append(data)
            if first & 0x80:
                self._end_message()

    def _end_message(self) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        if self._compressed:
            data = self._inflate.decompress(data + b"\x00\x00\xff\xff")
        self.messages += 1
        self.payload_bytes += len(data)
        self._on_text(data)
