"""One asyncio loop per worker process that carries all of its turns.

Celery only hands over ids. The loop also sweeps (so that nothing depends on a message arriving or
on beat running), keeps leases alive and stores partial answers with one statement a second for all
turns together, and listens for stops.
"""

import asyncio
import logging
import os
import socket
import threading
from uuid import UUID, uuid4

import hiredis
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import ConnectionError as RedisConnectionError

from agents_app.runtime.ask import close_models, warm_up
from chat_app.live.broadcast import Broadcaster
from chat_app.live.records import CONTROL_CHANNEL
from chat_app.services.turns import checkpoint_turns, release_turns, sweep_turns
from chat_app.worker.turn import RunningTurn, claim
from one_project.common import metrics
from one_project.common.database import in_thread, in_urgent_thread
from one_project.common.ids import parse_id
from one_project.common.redis_link import open_link, pack

logger = logging.getLogger(__name__)

STOP_WITHIN = 5.0


class Engine:
    """Start it once per process; ``submit`` may be called from any thread."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:8]}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._running: dict[UUID, RunningTurn] = {}
        self._claiming: set[UUID] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.broadcaster: Broadcaster | None = None

    @property
    def open_turns(self) -> int:
        return len(self._running)

    def start(self) -> None:
        """Run the loop in a thread of its own; returns when it takes turns."""
        self._thread = threading.Thread(target=self._main, name="turns", daemon=True)
        self._thread.start()
        self._started.wait(timeout=10)

    def submit(self, turn_id: UUID) -> None:
        """Take the turn if it is free and there is room; else the sweep finds it again."""
        if self._loop and not self._stopping:
            self._loop.call_soon_threadsafe(self._begin, turn_id)

    def stop(self) -> None:
        """Give all turns back, at once, and end the loop."""
        if self._loop and self._thread and not self._stopping:
            self._stopping = True
            asyncio.run_coroutine_threadsafe(self._give_back(), self._loop).result(STOP_WITHIN)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=STOP_WITHIN)

    def _main(self) -> None:
        self._loop = _new_loop()
        asyncio.set_event_loop(self._loop)
        self.broadcaster = Broadcaster()
        for work in (
            self.broadcaster.run(),
            self._sweep(),
            self._checkpoint(),
            self._listen(),
        ):
            self._keep(self._loop.create_task(work))
        metrics.gauge("one_turns_running", lambda: len(self._running))
        self._loop.call_soon(warm_up)
        self._loop.call_soon(self._started.set)
        self._loop.run_forever()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin(self, turn_id: UUID) -> None:
        busy = len(self._running) + len(self._claiming)
        known = turn_id in self._running or turn_id in self._claiming
        if known or self._stopping or busy >= settings.ONE_TURNS_PER_WORKER or not self._loop:
            return
        self._claiming.add(turn_id)
        self._keep(self._loop.create_task(self._carry(turn_id)))

    async def _carry(self, turn_id: UUID) -> None:
        if self.broadcaster is None:
            return
        try:
            running = await claim(turn_id, self.name, self.broadcaster)
        except DatabaseError as error:
            logger.warning("turn %s not claimed: %s", turn_id, error)
            return
        finally:
            self._claiming.discard(turn_id)
        if running is None:
            return
        self._running[turn_id] = running
        running.task = asyncio.current_task()
        try:
            await running.run()
        except Exception:
            # Its lease runs out and the turn is taken up again.
            logger.exception("turn %s ended without a result", turn_id)
        finally:
            if not self._stopping:
                self._running.pop(turn_id, None)

    async def _sweep(self) -> None:
        while True:
            room = settings.ONE_TURNS_PER_WORKER - len(self._running)
            try:
                for turn_id in await in_thread(sweep_turns, max(room, 0)):
                    self._begin(turn_id)
            except DatabaseError as error:
                logger.warning("turns not swept: %s", error)
            except Exception:
                logger.exception("the sweep of turns failed; it goes on")
            await asyncio.sleep(settings.ONE_TURN_SWEEP_EVERY)

    async def _checkpoint(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(settings.ONE_CHECKPOINT_EVERY)
            carried = dict(self._running)
            if not carried:
                continue
            now = loop.time()
            rows = [running.checkpoint(now) for running in carried.values()]
            try:
                owned = await in_urgent_thread(checkpoint_turns, rows)
            except DatabaseError as error:
                logger.warning("leases not renewed: %s", error)
                continue
            except Exception:
                logger.exception("the checkpoint failed; it goes on")
                continue
            for turn_id, running in carried.items():
                if turn_id not in owned:
                    running.cancel("lost")
                elif owned[turn_id]:
                    running.cancel("stop")

    async def _listen(self) -> None:
        """Stops arrive here within milliseconds; without Redis the checkpoint sees them."""
        while True:
            try:
                reader, writer = await open_link(settings.REDIS_URL)
                writer.write(pack("SUBSCRIBE", CONTROL_CHANNEL))
                parser = hiredis.Reader()
                while data := await reader.read(65_536):
                    parser.feed(data)
                    while (reply := parser.gets()) is not False:
                        self._obey(reply)
                writer.close()
            except (OSError, RedisConnectionError, TimeoutError):
                pass
            await asyncio.sleep(0.5)

    def _obey(self, reply: object) -> None:
        if not isinstance(reply, list) or reply[0] != b"message":
            return
        verb, _, argument = reply[2].decode().partition(" ")
        turn_id = parse_id(argument)
        if verb == "stop" and turn_id in self._running:
            self._running[turn_id].cancel("stop")

    async def _give_back(self) -> None:
        carried = list(self._running.values())
        for running in carried:
            running.cancel("shutdown")
        await asyncio.gather(
            *(running.task for running in carried if running.task), return_exceptions=True
        )
        owned = [(running.turn.pk, running.turn.attempt) for running in carried]
        try:
            await in_thread(release_turns, owned)
        except DatabaseError as error:
            logger.warning("turns not given back, their leases run out: %s", error)
        await close_models()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # not on Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
