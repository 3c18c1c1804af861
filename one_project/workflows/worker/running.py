"""One claimed piece of work in this process: called, timed, recorded."""

import asyncio
import contextvars
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from django.db import DatabaseError, OperationalError, connections

from one_project.common.database import in_thread
from one_project.workflows.current import CurrentWork, set_current
from one_project.workflows.definitions import Step, find_step
from one_project.workflows.services.advance import settle_and_advance
from one_project.workflows.services.outcomes import outcome_of
from one_project.workflows.services.settle import WorkLost, execute_transaction
from one_project.workflows.types import Claimed, Failure, Host, Kind, Outcome, Status

logger = logging.getLogger(__name__)

# For sync actions: they mostly wait for others.
THREADS = 16
# How long a result is offered to a database that is away.
PATIENCE = 120.0
# When a transaction that was chosen in a deadlock is done again.
AGAIN = 0.1

_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="action")


class Running:
    """An attempt. ``cancel``: ``stop`` (somebody canceled it), ``lost`` (not ours any more) or
    ``shutdown``; only the first lets the function have the last word."""

    def __init__(self, work: Claimed, host: Host) -> None:
        self.work = work
        self.host = host
        self.task: asyncio.Task[None] | None = None
        self.cancelled_for = ""
        self.is_settled = False
        self.has_begun = False
        self._is_recording = False
        self._current = CurrentWork(work)
        self._begun = time.monotonic()

    @property
    def is_overdue(self) -> bool:
        """Past its time-out: a sync function cannot be ended, but its lease is not renewed."""
        limit = self.work.timeout
        return limit is not None and time.monotonic() - self._begun > limit + 1.0

    @property
    def may_be_repeated(self) -> bool:
        """Whether another worker may begin it (again): not what was begun at most once."""
        return not self.has_begun or self.work.retry is not None

    def cancel(self, why: str) -> None:
        """End the call. What is being recorded is recorded: a lease that looks lost may only have
        been given up by that very record, or by the function's own (``CurrentWork.end``)."""
        if why == "lost" and self._current.ending.is_set():
            return
        if self.task and not self.cancelled_for:
            self.cancelled_for = why
            self._current.cancel(why)
            if not self._is_recording:
                self.task.cancel()

    async def run(self) -> Sequence[Claimed]:
        """Call the function and record what came of it; what its run has this process do next."""
        try:
            definition = find_step(self.work.function)
            if self.work.kind == Kind.TRANSACTION:
                return await self._transaction()
            outcome = await self._outcome(definition)
        except (WorkLost, asyncio.CancelledError):
            return ()
        if self.cancelled_for in {"lost", "shutdown"}:
            return ()
        return await self._record(outcome)

    async def _outcome(self, definition: Step[..., Any]) -> Outcome:
        limit = self.work.timeout
        try:
            arguments = definition.signature.load(self.work.arguments)
            async with asyncio.timeout(limit):
                value = await self._call(definition, arguments)
            result = definition.signature.dump_result(value)
            return Outcome(status=Status.SUCCESS, result=result)
        except TimeoutError as error:
            if limit is None or time.monotonic() - self._begun < limit:
                return outcome_of(error)
            message = f"It took longer than {limit:g} seconds."
            return Outcome(status=Status.ERROR, failure=Failure(kind="Timeout", message=message))
        except WorkLost:
            raise
        except Exception as error:
            return outcome_of(error)

    async def _call(self, definition: Step[..., Any], arguments: dict[str, Any]) -> Any:
        self.has_begun = True
        if definition.is_async:
            set_current(self._current)
            return await definition.function(**arguments)
        context = contextvars.copy_context()
        context.run(set_current, self._current)
        loop = asyncio.get_running_loop()

        def call() -> Any:
            try:
                return context.run(definition.function, **arguments)
            finally:
                connections.close_all()

        return await loop.run_in_executor(_threads, call)

    async def _transaction(self) -> Sequence[Claimed]:
        self._is_recording = True
        try:
            self.is_settled = await in_thread(execute_transaction, self.work)
        except OperationalError as error:
            logger.warning("%s is done again: %s", self.work.name, error)
            outcome = outcome_of(error)
            return await self._record(replace(outcome, put_off=AGAIN))
        except WorkLost:
            return ()
        except Exception as error:
            return await self._record(outcome_of(error))
        return ()

    async def _record(self, outcome: Outcome) -> Sequence[Claimed]:
        """Offer it to a database that may be away for a while; the lease decides in the end."""
        self._is_recording = True
        deadline, delay = time.monotonic() + PATIENCE, 0.2
        while True:
            try:
                recording = in_thread(settle_and_advance, self.work, outcome, self.host)
                self.is_settled, claimed = await recording
            except DatabaseError as error:
                if time.monotonic() > deadline or self.cancelled_for == "shutdown":
                    raise
                logger.warning("%s not recorded yet: %s", self.work.name, error)
            else:
                return claimed
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)
