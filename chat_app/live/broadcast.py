"""The worker's mouth: all streams of a process leave in one write, about every 33 ms.

A process that is busy breathes more slowly: the pause grows with the time a flush takes, because
the cost is by the flush and not by the word. Streams read what their models say once per flush.

One connection, told not to reply: waiting for Redis once per token is the second largest cost of
streaming (the first is an object per chunk). Each flush goes to the thread's channel and into the
attempt's replay stream. Redis being away loses nothing: when it is back, every stream sends one
record that replaces the whole body, and meanwhile viewers are given the checkpoints.
"""

import asyncio
import logging
from time import monotonic

from django.conf import settings
from redis.exceptions import ConnectionError as RedisConnectionError

from chat_app.live.stream import TurnStream
from one_project.common.redis_link import Writer, open_link, pack

logger = logging.getLogger(__name__)

REPLAY_ENTRIES = 4096
REPLAY_SECONDS = 900
# More than this unsent means that Redis does not keep up: drop, and repair with a snapshot.
MAX_UNSENT = 8 * 1024 * 1024
# A pause is at least so many times as long as the flush before it took, but at most MAX_PAUSE s.
PAUSE_PER_FLUSH = 2.5
MAX_PAUSE = 0.075


class Broadcaster:
    """Belongs to one event loop; ``run`` keeps its connection."""

    def __init__(self) -> None:
        self._writer: Writer | None = None
        self._dirty: set[TurnStream] = set()
        self._new: set[TurnStream] = set()
        self._resting: list[asyncio.Future[None]] = []
        self._streams: set[TurnStream] = set()
        self._timer: asyncio.Handle | None = None
        self._interval = self._pause = settings.ONE_STREAM_FLUSH_MS / 1000
        self._woke_at = 0.0

    def open(self, stream: TurnStream) -> None:
        self._streams.add(stream)

    def close(self, stream: TurnStream) -> None:
        """Forget the stream; its replay outlives it for late readers of the last records."""
        self._streams.discard(stream)
        self._dirty.discard(stream)
        self._new.discard(stream)

    def touch(self, stream: TurnStream) -> None:
        """The stream has something to say: at once when it is its first word, else soon."""
        loop = asyncio.get_running_loop()
        if not stream.has_begun:
            if not self._new:
                loop.call_soon(self._begin)
            self._new.add(stream)
            return
        self._dirty.add(stream)
        if self._timer is None:
            self._timer = loop.call_later(self._pause, self.flush)

    async def rest(self) -> None:
        """Return at the next flush. What the model says meanwhile is then read in one piece.

        Reading costs far more by the piece than by the byte, and nothing said before the flush
        could leave before it.
        """
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._resting.append(waiter)
        if self._timer is None:
            self._timer = loop.call_later(self._pause, self.flush)
        await waiter

    def flush(self) -> None:
        """Have those who rest read what has come, then send."""
        self._timer, self._woke_at = None, monotonic()
        if not self._resting:
            self._flush()
            return
        resting, self._resting = self._resting, []
        for waiter in resting:
            if not waiter.done():
                waiter.set_result(None)
        # Behind the tasks just woken, which find what they read without waiting.
        self._timer = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Render and send all that is dirty in one write."""
        self._timer = None
        if self._resting:
            self._timer = asyncio.get_running_loop().call_later(self._pause, self.flush)
        dirty, self._dirty = self._dirty, set()
        self._write(dirty)
        spent = monotonic() - self._woke_at
        self._pause = max(self._interval, min(spent * PAUSE_PER_FLUSH, MAX_PAUSE))

    def _begin(self) -> None:
        """First words leave alone: a crowd that begins does not hurry those who go on."""
        new, self._new = self._new, set()
        self._write(new)

    def _write(self, streams: set[TurnStream]) -> None:
        out: list[bytes] = []
        for stream in streams:
            first = not stream.has_begun
            if payload := stream.flush():
                self._commands(out, stream, payload, first=first)
        self._send(out)

    def _commands(
        self, out: list[bytes], stream: TurnStream, payload: bytes, *, first: bool
    ) -> None:
        out.append(pack("PUBLISH", stream.channel, payload))
        # The entry's id is the number of its last record, so a reader asks for "after n".
        out.append(
            pack(
                "XADD",
                stream.replay,
                "MAXLEN",
                "~",
                REPLAY_ENTRIES,
                f"{stream.number}-0",
                "p",
                payload,
            )
        )
        if first:
            out.append(pack("EXPIRE", stream.replay, REPLAY_SECONDS))

    def _send(self, out: list[bytes]) -> None:
        writer = self._writer
        if not out or writer is None or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > MAX_UNSENT:
            logger.warning("Redis does not keep up; its connection is made anew")
            writer.transport.abort()
            return
        writer.write(b"".join(out))

    async def run(self) -> None:
        """Keep the connection; for ever."""
        delay = 0.1
        while True:
            try:
                reader, writer = await open_link(settings.REDIS_URL)
            except (OSError, RedisConnectionError, TimeoutError) as error:
                logger.warning("Redis is away, answers go on without it: %s", error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 1.0)
                continue
            delay = 0.1
            writer.write(pack("CLIENT", "REPLY", "OFF"))
            self._writer = writer
            self._repair()
            try:
                while await reader.read(4096):
                    pass
            except OSError:
                pass
            finally:
                self._writer = None
                writer.close()

    def _repair(self) -> None:
        out: list[bytes] = []
        for stream in self._streams:
            if stream.has_begun:
                self._commands(out, stream, stream.snapshot(), first=True)
        self._send(out)
