"""What answering turns needs on the loop of a worker, beside the turns themselves.

One mouth for all streams, and one statement a second that stores what all of them have said so
far. Claiming, leases, sweeping and stops are the work pool's.
"""

import asyncio
import logging
from uuid import UUID
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import DatabaseError

from agents_app.providers.registry import using_demo_model
from agents_app.runtime.ask import close_models, warm_up
from billing_app.runtime import pricing
from chat_app.live.broadcast import Broadcaster
from chat_app.services.answering import answered_by
from chat_app.services.turns import checkpoint_turns
from chat_app.worker.beginning import begin
from chat_app.worker.turn import RunningTurn
from one_project.common import metrics
from one_project.common.database import in_urgent_thread
from one_project.workflows.worker.companions import accompany

logger = logging.getLogger(__name__)

_here: WeakKeyDictionary[asyncio.AbstractEventLoop, "Answerer"] = WeakKeyDictionary()


class Answerer:
    """One for each engine; made on its loop."""

    def __init__(self) -> None:
        self.broadcaster = Broadcaster()
        self._running: dict[UUID, RunningTurn] = {}
        _here[asyncio.get_event_loop()] = self
        metrics.gauge("one_turns_running", lambda: len(self._running))

    async def run(self) -> None:
        warm_up()
        if not using_demo_model():
            await asyncio.to_thread(pricing.warm_up)
        await asyncio.gather(self.broadcaster.run(), self._checkpoint())

    async def stop(self) -> None:
        await close_models()

    async def answer(self, turn_id: UUID) -> None:
        """Answer the turn as the piece of work that runs here."""
        running = await begin(turn_id, self.broadcaster)
        if running is None:
            return
        self._running[turn_id] = running
        try:
            await running.run()
        finally:
            if self._running.get(turn_id) is running:
                del self._running[turn_id]

    async def _checkpoint(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(settings.ONE_CHECKPOINT_EVERY)
            now = loop.time()
            rows = [row for each in self._running.values() if (row := each.checkpoint(now))]
            if not rows:
                continue
            try:
                await in_urgent_thread(checkpoint_turns, rows)
            except DatabaseError as error:
                logger.warning("partial answers not stored: %s", error)
            except Exception:
                logger.exception("the checkpoint failed; it goes on")


async def _answer(turn_id: UUID) -> None:
    await _here[asyncio.get_running_loop()].answer(turn_id)


def answer_here() -> None:
    """Have the workers of this process answer turns."""
    answered_by(_answer)
    accompany(Answerer)
