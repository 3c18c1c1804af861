"""The worker's mouth: all streams of a process leave in one write, at most every 33 ms.

One connection, told not to reply: waiting for Redis once per token is the second largest cost of
streaming (the first is an object per chunk). Each flush goes to the thread's channel and into the
attempt's replay stream. Redis being away loses nothing: when it is back, every stream sends one
record that replaces the whole body, and meanwhile viewers are given the checkpoints.
"""

import asyncio
import logging

from django.conf import settings
from redis.exceptions import ConnectionError as RedisConnectionError

from chat_app.live.stream import TurnStream
from one_project.common.redis_link import Writer, open_link, pack

logger = logging.getLogger(__name__)

REPLAY_ENTRIES = 4096
REPLAY_SECONDS = 900
# More than this unsent means that Redis does not keep up: drop, and repair with a snapshot.
MAX_UNSENT = 8 * 1024 * 1024


class Broadcaster:
    """Belongs to one event loop; ``run`` keeps its connection."""

    def __init__(self) -> None:
        self._writer: Writer | None = None
        self._dirty: set[TurnStream] = set()
        self._streams: set[TurnStream] = set()
        self._timer: asyncio.Handle | None = None
        self._interval = settings.ONE_STREAM_FLUSH_MS / 1000

    def open(self, stream: TurnStream) -> None:
        self._streams.add(stream)

    def close(self, stream: TurnStream) -> None:
        """Forget the stream; its replay outlives it for late readers of the last records."""
        self._streams.discard(stream)
        self._dirty.discard(stream)

    def touch(self, stream: TurnStream) -> None:
        """The stream has something to say: at once when it is its first word, else soon."""
        self._dirty.add(stream)
        if not stream.has_begun:
            if isinstance(self._timer, asyncio.TimerHandle) or self._timer is None:
                if self._timer:
                    self._timer.cancel()
                self._timer = asyncio.get_running_loop().call_soon(self.flush)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self.flush)

    def flush(self) -> None:
        """Render and send all that is dirty in one write."""
        self._timer = None
        dirty, self._dirty = self._dirty, set()
        out: list[bytes] = []
        for stream in dirty:
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
