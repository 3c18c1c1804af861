"""Open pages by the hundred: each a socket, a page's state, and the manners of a browser."""

import asyncio
import json
import random
import re
import time
from array import array
from collections.abc import Callable

from benchmarks.page_view import Article, Page
from benchmarks.people import Person, Room
from benchmarks.websocket import WebSocket

STAMPED = re.compile(r"\b([0-9a-z]{1,4})\.([0-9a-z]{6,12})\b")
ACK_EVERY = 65_536  # characters
ASK_EVERY = 1.0  # seconds
CONNECT_AT_ONCE = 20


class Meter:
    """Reads the stamps of one answer as its pieces arrive.

    ``lags`` are milliseconds from a token's stamp to its arrival here; ``disorder`` counts tokens
    that were missing or doubled in what was appended, ``restarts`` how often the answer began anew.
    """

    def __init__(self) -> None:
        self.lags = array("f")
        self.next = 0
        self.disorder = self.restarts = 0
        self.attempt = 0
        self.first_at = 0.0  # CLOCK_MONOTONIC seconds of the first token's arrival
        self.now_us = 0

    def begin(self, attempt: int) -> None:
        """A new attempt replaces what an earlier one said."""
        if attempt > self.attempt:
            self.restarts += self.attempt > 0
            self.attempt, self.next = attempt, 0

    def read(self, kind: str, body: str) -> None:
        """Take the tokens of ``body`` that are new; ``d`` bodies hold nothing else."""
        found = STAMPED.findall(body)
        if kind == "r" and len(found) < self.next:
            self.restarts += 1  # the model was asked again
            self.next = 0
        for place, stamp in found:
            number = int(place, 36)
            if number == self.next:
                self.next += 1
                self.lags.append((self.now_us - int(stamp, 36)) / 1000)
            elif number > self.next or kind == "d":
                self.disorder += 1
        if self.next and not self.first_at:
            self.first_at = self.now_us / 1e6


class Viewer:
    """One person's open page of one thread."""

    def __init__(
        self, host: str, room: Room, person: Person, *, deflate: bool = True, metered: bool = True
    ) -> None:
        self.host, self.room, self.person = host, room, person
        self.deflate = deflate
        self.meter = Meter()
        self.page = Page(room.seq, self._measure if metered else None)
        self.on_change: Callable[[Viewer], None] = lambda viewer: None
        self.socket: WebSocket | None = None
        self.syncs = self.connects = 0
        self._received = self._acknowledged = 0
        self._asked = 0.0
        self._asking: asyncio.TimerHandle | None = None
        self._lost = asyncio.Event()

    async def connect(self) -> None:
        """Open the socket and say what the page has. Raises OSError or TimeoutError."""
        self._lost.clear()
        path = f"/ws/threads/{self.room.thread_id}/"
        socket = WebSocket(self._receive, lambda code: self._lost.set())
        self.socket = await socket.open(
            self.host, path, cookie=self.person.cookie, deflate=self.deflate
        )
        self.connects += 1
        self._received = self._acknowledged = 0
        self._sync()

    async def stay(self, chance: random.Random) -> None:
        """Connect, and again whenever the socket is lost, as the page does; until cancelled."""
        tries = 0
        while True:
            try:
                await self.connect()
                tries = 0
                await self._lost.wait()
            except (OSError, TimeoutError):
                pass
            await asyncio.sleep(chance.random() * min(8.0, 0.5 * 2**tries))
            tries += 1

    def close(self) -> None:
        if self._asking:
            self._asking.cancel()
        if self.socket:
            self.socket.close()

    def answer(self, position: str) -> Article | None:
        """The article at a place."""
        found = (a for a in self.page.articles.values() if a.position == position)
        return next(found, None)

    def _receive(self, data: bytes) -> None:
        self.meter.now_us = time.monotonic_ns() // 1000
        text = data.decode()
        if self.page.apply(text) and self._asking is None:
            wait = max(0.0, self._asked + ASK_EVERY - time.monotonic())
            self._asking = asyncio.get_running_loop().call_later(wait, self._sync)
        self.on_change(self)
        self._received += len(text)
        if self._received - self._acknowledged >= ACK_EVERY:
            self._acknowledged = self._received
            self._send({"type": "ack", "bytes": self._received})

    def _sync(self) -> None:
        if self._asking:
            self._asking.cancel()
            self._asking = None
        self._asked = time.monotonic()
        self.syncs += 1
        self._send({"type": "sync", "seq": self.page.seq, "streams": self.page.known()})

    def _send(self, message: dict[str, object]) -> None:
        if self.socket:
            self.socket.send(json.dumps(message).encode())

    def _measure(self, article: Article, kind: str, body: str) -> None:
        if article.kind == "agent":
            self.meter.begin(article.attempt)
            self.meter.read(kind, body)


async def connect_all(viewers: list[Viewer]) -> None:
    """Open all sockets, 20 at a time. Raises what the first failure raises."""
    gate = asyncio.Semaphore(CONNECT_AT_ONCE)

    async def one(viewer: Viewer) -> None:
        async with gate:
            await viewer.connect()

    await asyncio.gather(*(one(viewer) for viewer in viewers))
