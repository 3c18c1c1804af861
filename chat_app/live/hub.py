"""The web process's ear: one Redis subscription for all sockets of the process.

A viewer joins the channels it may see, and gets every payload as it was published, bytes
untouched. Publishing is at most once, so the hub also compares, every few seconds, the number each
viewer has been given with the thread's own (one query for all), and has viewers that are behind
brought up to date. While Redis is away it does so every second and hands out checkpoints.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, cast
from uuid import UUID
from weakref import WeakKeyDictionary

import hiredis
import redis.asyncio
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from chat_app.live import catch_up, records
from one_project.common import metrics
from one_project.common.database import in_thread
from one_project.common.redis_link import Reader, Writer, open_link, pack

logger = logging.getLogger(__name__)

COMPARE_EVERY = 5.0
COMPARE_EVERY_WITHOUT_REDIS = 1.0
# What may wait for one viewer. Beyond it, records of streaming answers are dropped; the viewer
# sees the gap in their numbers and is sent one snapshot instead.
MAX_WAITING = 256 * 1024
MAX_UNACKNOWLEDGED = 2 * 1024 * 1024


class Viewer:
    """One socket: what it was given, and a bounded queue to it.

    ``send`` writes one WebSocket text; ``sync`` brings the viewer up to date from the rows;
    ``recheck`` looks at its rights again.
    """

    def __init__(
        self,
        send: Callable[[str], Awaitable[None]],
        sync: Callable[[], Awaitable[None]],
        recheck: Callable[[], Awaitable[None]],
        thread_id: UUID | None = None,
    ) -> None:
        self.thread_id = thread_id
        # The number of the last change it was given; unknown until the page has said it.
        self.seq: int | None = None
        self.sync = sync
        self.recheck = recheck
        self.acknowledged = 0
        self._send = send
        self._sent = 0
        self._waiting: list[bytes] = []
        self._size = 0
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def give(self, payload: bytes) -> None:
        """Queue a payload; streaming records are dropped when the viewer does not keep up."""
        if payload[0:1] in {b"d", b"h", b"c", b"r"}:
            slow = self._sent - self.acknowledged > MAX_UNACKNOWLEDGED
            if slow or self._size > MAX_WAITING:
                metrics.count("one_live_records_dropped_total")
                return
        elif payload == records.RECHECK:
            self.start(self.recheck())
            return
        elif numbers := records.durable_numbers(payload):
            self.seq = None if self.seq is None else max(self.seq, numbers[0])
        self._waiting.append(payload)
        self._size += len(payload)
        self._wake.set()

    def start(self, work: Awaitable[None]) -> None:
        """Run ``work`` beside the queue; it ends with the viewer."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def pump(self) -> None:
        """Send what waits, joined, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            payload = records.SEPARATOR.join(self._waiting).decode()
            self._waiting.clear()
            self._size = 0
            self._sent += len(payload)
            await self._send(payload)

    def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()


class Hub:
    """All viewers of this process, by channel."""

    def __init__(self) -> None:
        self._viewers: dict[str, set[Viewer]] = defaultdict(set)
        self._confirmed: dict[str, asyncio.Event] = {}
        self._writer: Writer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._redis: redis.asyncio.Redis | None = None
        metrics.gauge("one_live_viewers", lambda: len(self._all()))

    def _all(self) -> set[Viewer]:
        return set().union(*self._viewers.values())

    async def join(self, viewer: Viewer, *channels: str) -> None:
        """Subscribe; returns once Redis has confirmed it, or after half a second without."""
        if not self._tasks or any(task.done() for task in self._tasks):
            self._tasks = [
                asyncio.create_task(self._listen()),
                asyncio.create_task(self._compare()),
            ]
        for channel in channels:
            if channel not in self._confirmed:
                self._confirmed[channel] = asyncio.Event()
                if self._writer:
                    self._writer.write(pack("SUBSCRIBE", channel))
            self._viewers[channel].add(viewer)
        try:
            async with asyncio.timeout(0.5):
                for channel in channels:
                    if confirmed := self._confirmed.get(channel):
                        await confirmed.wait()
        except TimeoutError:
            logger.warning("live updates are slow: Redis did not confirm a subscription")

    def leave(self, viewer: Viewer, *channels: str) -> None:
        for channel in channels:
            viewers = self._viewers.get(channel)
            if viewers is None:
                continue
            viewers.discard(viewer)
            if not viewers:
                del self._viewers[channel]
                self._confirmed.pop(channel, None)
                if self._writer:
                    self._writer.write(pack("UNSUBSCRIBE", channel))

    async def replay(self, key: str, *, after: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """The replay's entries after that number, oldest first; none while Redis is away."""
        if self._redis is None:
            self._redis = redis.asyncio.Redis.from_url(
                settings.REDIS_URL,
                socket_connect_timeout=0.5,
                socket_timeout=2.0,
                max_connections=32,
            )
        try:
            return cast("Any", await self._redis.xrange(key, min=f"({after}-0")) or []
        except RedisError:
            return []

    async def close(self) -> None:
        """End the tasks and the connections (with the event loop)."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._redis:
            await self._redis.aclose()

    async def _listen(self) -> None:
        delay = 0.1
        while True:
            try:
                reader, writer = await open_link(settings.REDIS_URL)
            except (OSError, RedisConnectionError, TimeoutError) as error:
                logger.warning("Redis is away, live updates come from the database: %s", error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 1.0)
                continue
            delay = 0.1
            self._writer = writer
            for channel in self._viewers:
                writer.write(pack("SUBSCRIBE", channel))
            try:
                await self._read(reader)
            except OSError as error:
                logger.warning("connection to Redis lost: %s", error)
            finally:
                self._writer = None
                writer.close()
                for confirmed in self._confirmed.values():
                    confirmed.clear()

    async def _read(self, reader: Reader) -> None:
        parser = hiredis.Reader()
        while data := await reader.read(262_144):
            parser.feed(data)
            while (reply := parser.gets()) is not False:
                if not isinstance(reply, list) or not isinstance(reply[1], bytes):
                    continue
                kind, channel = reply[0], reply[1].decode()
                if kind == b"message":
                    for viewer in tuple(self._viewers.get(channel, ())):
                        viewer.give(reply[2])
                elif kind == b"subscribe" and channel in self._confirmed:
                    self._confirmed[channel].set()

    async def _compare(self) -> None:
        while True:
            away = self._writer is None
            await asyncio.sleep(COMPARE_EVERY_WITHOUT_REDIS if away else COMPARE_EVERY)
            viewers = [viewer for viewer in self._all() if viewer.thread_id]
            ids = list({viewer.thread_id for viewer in viewers if viewer.thread_id})
            if not ids:
                continue
            try:
                seqs = await in_thread(catch_up.thread_seqs, ids)
                answers = await in_thread(catch_up.open_answers, ids) if away else {}
            except DatabaseError as error:
                logger.warning("could not compare viewers with the database: %s", error)
                continue
            for viewer in viewers:
                if viewer.thread_id is None:
                    continue
                if viewer.seq is not None and seqs.get(viewer.thread_id) != viewer.seq:
                    viewer.start(viewer.sync())
                for answer in answers.get(viewer.thread_id, []):
                    viewer.give(answer.snapshot())


_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


def get_hub() -> Hub:
    """The hub of the running event loop (one per web process)."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
