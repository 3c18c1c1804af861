"""One asyncio loop per worker process: claims work, runs it, keeps its leases, sweeps.

Async actions run on the loop, hundreds at once; sync ones and everything that touches the database
on threads. Nothing depends on a message arriving: rings only make it faster.
"""

import asyncio
import logging
import os
import random
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID, uuid4

import hiredis
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import ConnectionError as RedisConnectionError

from one_project.common import metrics
from one_project.common.database import in_thread, in_urgent_thread
from one_project.common.ids import parse_id
from one_project.common.redis_link import open_link, pack
from one_project.workflows import bell
from one_project.workflows.definitions import known_steps
from one_project.workflows.services.advance import advance
from one_project.workflows.services.claims import claim, give_back, keep_alive, pools_with_work
from one_project.workflows.services.runs import purge
from one_project.workflows.services.sweeping import sweep
from one_project.workflows.types import Claimed, Host
from one_project.workflows.worker.companions import Companion, companions
from one_project.workflows.worker.running import Running

logger = logging.getLogger(__name__)

STOP_WITHIN = 5.0
GRACE = 3.0  # seconds for what runs at most once, when the process is asked to stop
KEEP_EVERY = 1.0  # a third of the shortest lease
PURGE_EVERY = 60.0


class Engine:
    """Start it once per process; ``wake`` may be called from any thread."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:8]}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._running: dict[UUID, Running] = {}
        self._advancing: set[UUID] = set()
        self._again: set[UUID] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._rung: asyncio.Event | None = None
        self._companions: list[Companion] = []
        self._stopping = False
        self._hungry = False
        self.host = Host(self.name, self.room)
        self._silence: Callable[[], None] | None = None

    def room(self) -> int:
        """How much more this process takes."""
        return 0 if self._stopping else settings.ONE_WORK_PER_WORKER - len(self._running)

    def start(self) -> None:
        """Run the loop in a thread of its own; returns when it takes work."""
        self._thread = threading.Thread(target=self._main, name="work", daemon=True)
        self._thread.start()
        self._started.wait(timeout=10)
        self._silence = bell.listen_here(self.wake)

    def wake(self, run_id: UUID | None = None) -> None:
        """There is work, or this run can go on."""
        if self._loop and not self._stopping:
            self._loop.call_soon_threadsafe(self._woken, run_id)

    def stop(self) -> None:
        """Give everything back, at once, and end the loop."""
        if self._loop and self._thread and not self._stopping:
            self._stopping = True
            if self._silence:
                self._silence()
            asyncio.run_coroutine_threadsafe(self._give_back(), self._loop).result(STOP_WITHIN)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=STOP_WITHIN)

    # --- the loop ------------------------------------------------------------------------------

    def _main(self) -> None:
        self._loop = _new_loop()
        asyncio.set_event_loop(self._loop)
        self._rung = asyncio.Event()
        self._companions = [make() for make in companions()]
        for companion in self._companions:
            self._keep(companion.run())
        for work in (
            self._pump(),
            self._sweep(),
            self._keep_alive(),
            self._listen(),
            self._purge(),
        ):
            self._keep(work)
        metrics.gauge("one_work_running", lambda: len(self._running))
        self._loop.call_soon(self._started.set)
        self._loop.run_forever()

    def _keep(self, work: Coroutine[Any, Any, Any]) -> None:
        if self._loop:
            task = self._loop.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _woken(self, run_id: UUID | None) -> None:
        if self._stopping:
            return
        if run_id is None:
            if self._rung:
                self._rung.set()
        else:
            self._go_on(run_id)

    # --- runs ----------------------------------------------------------------------------------

    def _go_on(self, run_id: UUID, *, picked_up: bool = False) -> None:
        if run_id in self._advancing:
            self._again.add(run_id)
        elif not self._stopping:
            self._advancing.add(run_id)
            self._keep(self._advance(run_id, picked_up))

    async def _advance(self, run_id: UUID, picked_up: bool) -> None:
        try:
            while True:
                self._again.discard(run_id)
                claimed = await in_thread(advance, run_id, picked_up=picked_up, host=self.host)
                await self.take_up(claimed)
                if run_id not in self._again or self._stopping:
                    return
        except DatabaseError as error:
            logger.warning("run %s does not go on yet: %s", run_id, error)
        except Exception:
            logger.exception("run %s does not go on; the sweep comes back to it", run_id)
        finally:
            self._advancing.discard(run_id)

    # --- work ----------------------------------------------------------------------------------

    async def _pump(self) -> None:
        """Take what is ready whenever the bell rings."""
        while self._rung is not None:
            await self._rung.wait()
            self._rung.clear()
            try:
                await self._take()
            except DatabaseError as error:
                logger.warning("no work claimed: %s", error)
            except Exception:
                logger.exception("claiming failed; it goes on")

    async def _take(self) -> None:
        known = known_steps()
        self._hungry = False
        for pool in await in_thread(pools_with_work):
            room = self.room()
            if room <= 0:
                bell.pass_on()
                self._hungry = True
                return
            claimed = await in_thread(claim, pool, worker=self.name, room=room, known=known)
            await self.take_up(claimed)
            # What is left may be more than the pool runs at once, or than we have room for.
            self._hungry = self._hungry or bool(claimed)

    async def take_up(self, claimed: Sequence[Claimed]) -> None:
        """Run claimed work; what comes too late for that is given back."""
        if self._stopping:
            await in_thread(give_back, [(work.id, work.token) for work in claimed])
            return
        for work in claimed:
            running = Running(work, self.host)
            self._running[work.id] = running
            running.task = asyncio.get_running_loop().create_task(self._carry(running))

    async def _carry(self, running: Running) -> None:
        work = running.work
        claimed: Sequence[Claimed] = ()
        try:
            claimed = await running.run()
        except Exception:
            # Its lease runs out, and what its policy says is done.
            logger.exception("%s %s ended without a record", work.name, work.id)
        finally:
            if not self._stopping:
                self._running.pop(work.id, None)
        await self.take_up(claimed)
        if self._hungry and self._rung:
            self._rung.set()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEP_EVERY)
            held = {key: each for key, each in self._running.items() if not each.is_overdue}
            if not held:
                continue
            try:
                rows = [(key, each.work.token) for key, each in held.items()]
                ours = await in_urgent_thread(keep_alive, rows)
            except DatabaseError as error:
                logger.warning("leases not renewed: %s", error)
                continue
            for key, running in held.items():
                if key not in ours:
                    running.cancel("lost")
                elif ours[key]:
                    running.cancel("stop")

    async def _sweep(self) -> None:
        while True:
            try:
                found = await in_thread(sweep)
                for run_id in found.picked_up:
                    self._go_on(run_id, picked_up=True)
                for run_id in found.settled:
                    self._go_on(run_id)
                if found.work and self._rung:
                    self._rung.set()
            except DatabaseError as error:
                logger.warning("nothing swept: %s", error)
            except Exception:
                logger.exception("the sweep failed; it goes on")
            # Not all workers at the same moment.
            await asyncio.sleep(settings.ONE_SWEEP_EVERY * (0.75 + random.random() / 2))  # noqa: S311

    async def _purge(self) -> None:
        while True:
            await asyncio.sleep(PURGE_EVERY * (0.5 + random.random()))  # noqa: S311
            try:
                while await in_thread(purge):
                    pass
            except Exception:
                logger.exception("old runs not purged; tried again")

    async def _listen(self) -> None:
        """Rings arrive here within milliseconds; without Redis the sweep finds the rows."""
        while True:
            try:
                reader, writer = await open_link(settings.REDIS_URL)
                writer.write(pack("SUBSCRIBE", bell.CHANNEL))
                parser = hiredis.Reader()
                while data := await reader.read(65_536):
                    parser.feed(data)
                    while (reply := parser.gets()) is not False:
                        self._hear(reply)
                writer.close()
            except (OSError, RedisConnectionError, TimeoutError):
                pass
            await asyncio.sleep(0.5)

    def _hear(self, reply: object) -> None:
        if not isinstance(reply, list) or reply[0] != b"message":
            return
        verb, _, argument = reply[2].decode().partition(" ")
        if verb == "work":
            self._woken(None)
        elif verb == "run" and (run_id := parse_id(argument)):
            self._woken(run_id)
        elif verb == "stop" and (running := self._running.get(parse_id(argument) or uuid4())):
            running.cancel("stop")

    async def _give_back(self) -> None:
        carried = list(self._running.values())
        for running in carried:
            if running.may_be_repeated:
                running.cancel("shutdown")
        tasks = [running.task for running in carried if running.task]
        if tasks:
            # What must not be repeated gets a moment to end; its lease says the rest.
            await asyncio.wait(tasks, timeout=GRACE)
        for running in carried:
            running.cancel("shutdown")
        await asyncio.gather(*tasks, return_exceptions=True)
        held = [
            (each.work.id, each.work.token)
            for each in carried
            if not each.is_settled and each.may_be_repeated
        ]
        try:
            await in_thread(give_back, held)
        except DatabaseError as error:
            logger.warning("work not given back, its leases run out: %s", error)
        for companion in self._companions:
            await companion.stop()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # not on Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
