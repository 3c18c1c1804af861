"""The life of one turn in a worker: begin, ask, stream, finish.

No transaction, lock or connection is held while the model speaks.
"""

import asyncio
import logging
from dataclasses import replace
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, DataError

from agents_app.errors import AgentExecutionError
from agents_app.providers.base import ChatModel, ChatRequest, CompletionBuilder
from agents_app.providers.errors import CUT_OFF, ModelError
from agents_app.providers.events import StreamEvent, TextDelta
from agents_app.providers.parts import ReasoningPart, TextPart
from agents_app.providers.registry import resolve_chat_model
from agents_app.runtime.ask import Patience, Restarted, ask
from chat_app.errors import ThreadNotFound
from chat_app.live.broadcast import Broadcaster
from chat_app.live.stream import TurnStream
from chat_app.models import Turn, TurnStatus
from chat_app.runtime.context import build_request
from chat_app.services.turns import Checkpoint, Outcome, begin_turn, finish_turn
from one_project.common import metrics
from one_project.common.database import in_thread
from one_project.common.text import clean_text
from one_project.workflows.current import current_work

logger = logging.getLogger(__name__)

# How long an answer that is complete is offered to a database that is away.
FINISH_PATIENCE = 120.0
# Rewriting a long text every second costs more than it saves; so long ones less often.
CHECKPOINT_BYTES_PER_SECOND = 32_768


class RunningTurn:
    """A turn that is being answered in this process."""

    def __init__(self, turn: Turn, request: ChatRequest, broadcaster: Broadcaster) -> None:
        self.turn = turn
        self.request = request
        self.stream = TurnStream(turn)
        self.work = current_work()
        self._broadcaster = broadcaster
        self._answer = CompletionBuilder()
        self._model: ChatModel | None = None
        self._stored = 0
        self._store_after = 0.0

    def checkpoint(self, now: float) -> Checkpoint | None:
        """What to store now; None when nothing has been said or the text is not due again."""
        stream = self.stream
        if stream.number <= self._stored or now < self._store_after:
            return None
        text, self._stored = stream.text, stream.number
        self._store_after = now + len(text) / CHECKPOINT_BYTES_PER_SECOND
        return Checkpoint(stream.turn_id, stream.attempt, text, self._stored)

    async def run(self) -> None:
        """Ask the model, stream what it says, store how it ended."""
        self._broadcaster.open(self.stream)
        try:
            outcome = await self._answered()
        except asyncio.CancelledError:
            # A stop keeps the text; where another worker goes on, nothing is written.
            if self.work.cancelled_for != "stop":
                raise
            outcome = self._outcome(TurnStatus.STOPPED, "stopped")
        finally:
            self._broadcaster.close(self.stream)
        await self._finish(outcome)

    async def _answered(self) -> Outcome:
        try:
            name = self.turn.agent.model if self.turn.agent else ""
            self._model = resolve_chat_model(name)
            patience = Patience(
                first=settings.ONE_TURN_FIRST_TOKEN_TIMEOUT,
                idle=settings.ONE_TURN_IDLE_TIMEOUT,
                retries=settings.ONE_MODEL_RETRIES,
            )
            async for events in ask(self._model, self.request, patience):
                if isinstance(events, Restarted):
                    self._answer = CompletionBuilder()
                    self.stream.restart()
                else:
                    self._take(events)
                    await self._broadcaster.rest()
            return self._ended()
        except ModelError as error:
            outcome = self._outcome(TurnStatus.FAILED, "error")
            outcome.error, outcome.error_code = error.message_for_person, error.code
            outcome.cause = repr(error)
            return outcome
        except Exception as error:
            # Whatever it is, the turn must not stay open; the log has the trace.
            logger.exception("turn %s failed", self.turn.pk)
            failure = AgentExecutionError(
                agent=self.turn.message.author_name,
                thread=str(self.turn.thread_id),
                cause=f"{type(error).__name__}: {error}",
            )
            outcome = self._outcome(TurnStatus.FAILED, "error")
            outcome.error, outcome.error_code = failure.user_message, failure.code
            outcome.cause = failure.detail
            return outcome

    def _take(self, events: list[StreamEvent]) -> None:
        self._answer.add(events)
        said = False
        for event in events:
            if isinstance(event, TextDelta) and event.text:
                self.stream.add(event.text)
                said = True
        if said:
            self._broadcaster.touch(self.stream)

    def _ended(self) -> Outcome:
        completion = self._answer.completion()
        if self._answer.finished is None:
            raise ModelError("connection", CUT_OFF, detail="the stream ended without an end")
        outcome = self._outcome(TurnStatus.SUCCESS, completion.finish_reason)
        if not any(isinstance(part, TextPart) and part.text.strip() for part in outcome.parts):
            raise ModelError("invalid_response", detail="an answer without text")
        return outcome

    def _outcome(self, status: str, reason: str) -> Outcome:
        completion = self._answer.completion()
        text = clean_text(completion.text)
        thought = [
            replace(part, text=clean_text(part.text))
            for part in completion.parts
            if isinstance(part, ReasoningPart)
        ]
        return Outcome(
            status=status,
            parts=[*thought, TextPart(text)] if text else thought,
            finish_reason=reason,
            usage=completion.usage,
            model=completion.model or (self._model.model if self._model else ""),
            provider=self._model.provider if self._model else "",
        )

    async def _finish(self, outcome: Outcome) -> None:
        loop = asyncio.get_running_loop()
        deadline, delay = loop.time() + FINISH_PATIENCE, 0.2
        while True:
            try:
                if await in_thread(finish_turn, self.turn, outcome, self.work.claimed):
                    metrics.count(f"one_turns_{outcome.status}_total")
                else:
                    logger.warning("turn %s was taken over; its end is not ours", self.turn.pk)
                return
            except ThreadNotFound:
                return
            except DataError as error:
                # Something in it cannot be stored; the text can, and the turn must end.
                outcome = _storable(outcome, error)
            except DatabaseError as error:
                if loop.time() > deadline:
                    raise
                logger.warning("turn %s not stored yet: %s", self.turn.pk, error)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)


def _storable(outcome: Outcome, error: DataError) -> Outcome:
    text = [part for part in outcome.parts if isinstance(part, TextPart)]
    return Outcome(
        status=TurnStatus.FAILED,
        parts=text,
        finish_reason="error",
        error_code="internal",
        cause=f"the answer could not be stored: {error}",
    )


async def begin(turn_id: UUID, broadcaster: Broadcaster) -> RunningTurn | None:
    """Begin the turn and read its context; None when there is nothing to answer any more."""
    begun = await in_thread(_begin_with_context, turn_id, current_work().claimed.token)
    return RunningTurn(*begun, broadcaster) if begun else None


def _begin_with_context(turn_id: UUID, token: UUID) -> tuple[Turn, ChatRequest] | None:
    turn = begin_turn(turn_id, token=token)
    return (turn, build_request(turn)) if turn else None
