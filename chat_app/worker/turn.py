"""The life of one turn in a worker: begin, ask, stream, finish.

No transaction, lock or connection is held while the model speaks.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, DataError

from agents_app.errors import AgentExecutionError
from agents_app.providers.base import ChatRequest
from agents_app.providers.errors import ModelError
from agents_app.providers.events import StreamEvent, TextDelta
from agents_app.providers.parts import ReasoningPart, TextPart, ToolCallPart
from agents_app.providers.registry import resolve_chat_model
from agents_app.runtime.ask import Patience, Restarted
from agents_app.runtime.recorded import Caller, RecordedCall, Recorder
from agents_app.runtime.telling import tell, tell_usage
from agents_app.services.ai_calls import keep_calls
from chat_app.errors import ThreadNotFound
from chat_app.live.broadcast import Broadcaster
from chat_app.live.stream import TurnStream
from chat_app.models import Thread, Turn, TurnStatus
from chat_app.runtime.options import last_step
from chat_app.services.steps import StepTools, end_step
from chat_app.services.turns import LOOK_AGAIN, Checkpoint, Outcome, finish_turn
from one_project.common import metrics
from one_project.common.crash_points import crash_point
from one_project.common.database import in_thread
from one_project.common.text import clean_json, clean_line, clean_text
from one_project.workflows.current import current_work
from one_project.workflows.errors import TryLater

logger = logging.getLogger(__name__)

NO_STEPS_LEFT = "The agent has used all its steps without an answer. Please ask more precisely."
# How long an answer that is complete is offered to a database that is away.
FINISH_PATIENCE = 120.0
# Rewriting a long text every second costs more than it saves; so long ones less often.
CHECKPOINT_BYTES_PER_SECOND = 32_768


class RunningTurn:
    """A step of a turn that is being answered in this process."""

    def __init__(
        self,
        turn: Turn,
        request: ChatRequest,
        tools: StepTools,
        broadcaster: Broadcaster,
        searched: Sequence[RecordedCall] = (),
    ) -> None:
        self.turn = turn
        self.request = request
        self.tools = tools
        self.stream = TurnStream(turn)
        self.work = current_work()
        self._broadcaster = broadcaster
        self._recorder: Recorder | None = None
        self._searched = searched  # calls that its context took, kept already
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
                await self._abandon()
                raise
            self._end_call()
            outcome = self._outcome(TurnStatus.STOPPED, "stopped")
        finally:
            self._broadcaster.close(self.stream)
        self.work.end()
        await self._finish(outcome)
        await self._tell()

    async def _answered(self) -> Outcome:
        options = self.tools.options
        try:
            model = resolve_chat_model(options.model)
            self._recorder = Recorder(model, self.request, caller_of(self.turn))
            patience = Patience(
                first=settings.ONE_TURN_FIRST_TOKEN_TIMEOUT,
                idle=settings.ONE_TURN_IDLE_TIMEOUT,
                retries=patience_of(options.retries),
            )
            async for events in self._recorder.ask(patience):
                if isinstance(events, Restarted):
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
            self._end_call()
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

    def _end_call(self) -> None:
        """What the model said of a call that is under way still is paid for."""
        if self._recorder is not None:
            self._recorder.stopped()

    async def _abandon(self) -> None:
        """Another worker goes on, or will: the call that is left here has cost something."""
        self._end_call()
        calls = self._recorder.calls if self._recorder else []
        try:
            await in_thread(keep_calls, calls)
        except DatabaseError as error:
            logger.warning("calls of turn %s are not recorded: %s", self.turn.pk, error)
        else:
            await self._tell()

    async def _tell(self) -> None:
        """The handlers of an agent defined in Python; what they break is theirs."""
        agent = self.tools.agent
        if agent is None:
            return
        try:
            await tell_usage(self._searched, agent.usage_handler)
            if self._recorder is not None:
                await tell(self._recorder, agent.raw_handler, agent.usage_handler)
        except Exception:
            logger.exception("a handler of %s failed", agent.name)

    def _take(self, events: list[StreamEvent]) -> None:
        said = False
        for event in events:
            if isinstance(event, TextDelta) and event.text:
                self.stream.add(event.text)
                said = True
        if said:
            self._broadcaster.touch(self.stream)

    def _ended(self) -> Outcome:
        completion = self._recorder.answer.completion() if self._recorder else None
        if completion is None:
            raise ModelError("invalid_response", detail="no answer")
        outcome = self._outcome(TurnStatus.SUCCESS, completion.finish_reason)
        if self.request.tools and self.request.tool_choice != "none":
            outcome.parts = [*outcome.parts, *numbered(completion.tool_calls)]
        says = any(isinstance(part, TextPart) and part.text.strip() for part in outcome.parts)
        if not says and not outcome.tool_calls:
            if completion.tool_calls:
                raise ModelError("invalid_response", NO_STEPS_LEFT, detail="calls at the last step")
            raise ModelError("invalid_response", detail="an answer without text")
        return outcome

    def _outcome(self, status: str, reason: str) -> Outcome:
        recorder = self._recorder
        if recorder is None:
            return Outcome(status=status, finish_reason=reason)
        completion = recorder.answer.completion()
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
            model=completion.model or recorder.model.model,
            provider=recorder.model.provider,
            calls=recorder.calls,
        )

    def _store(self, outcome: Outcome) -> bool:
        """The end of the turn, or of a step whose tools come next."""
        crash_point("model_answered")
        goes_on = outcome.status == TurnStatus.SUCCESS and outcome.tool_calls
        if goes_on and last_step(self.tools.options) > 1:
            return end_step(self.turn, outcome, self.tools, self.work.claimed)
        return finish_turn(self.turn, outcome, self.work.claimed)

    async def _finish(self, outcome: Outcome) -> None:
        loop = asyncio.get_running_loop()
        deadline, delay = loop.time() + FINISH_PATIENCE, 0.2
        while True:
            try:
                if await in_thread(self._store, outcome):
                    metrics.count(f"one_turns_{outcome.status}_total")
                else:
                    logger.warning("turn %s was taken over; its end is not ours", self.turn.pk)
                    await in_thread(keep_calls, outcome.calls)
                return
            except ThreadNotFound:
                await in_thread(keep_calls, outcome.calls)
                if await in_thread(_may_come_back, self.turn.thread_id):
                    # Answered anew then: a turn left open here would be open for ever.
                    raise TryLater(LOOK_AGAIN, "the thread is deleted") from None
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


def _may_come_back(thread_id: UUID) -> bool:
    return Thread.objects.filter(pk=thread_id).exists()


def _storable(outcome: Outcome, error: DataError) -> Outcome:
    text = [part for part in outcome.parts if isinstance(part, TextPart)]
    return Outcome(
        status=TurnStatus.FAILED,
        parts=text,
        finish_reason="error",
        error_code="internal",
        cause=f"the answer could not be stored: {error}",
        # What was used counts; what was said may be what cannot be stored.
        calls=[replace(call, request=None, response=None) for call in outcome.calls],
    )


def numbered(calls: Sequence[ToolCallPart]) -> list[ToolCallPart]:
    """The calls with ids that differ: some servers give one id twice, or none."""
    seen: set[str] = set()
    made = []
    for index, call in enumerate(calls):
        base = clean_line(call.id, 100) or "call"
        known, number = base, index
        while known in seen:
            known, number = f"{base}_{number}", number + 1
        seen.add(known)
        cleaned = clean_json(call.arguments)
        made.append(replace(call, id=known, name=clean_text(call.name), arguments=cleaned))
    return made


def caller_of(turn: Turn) -> Caller:
    """Whose call it is, for the ledger."""
    return Caller(
        organisation_id=turn.organisation_id,
        user_id=turn.requested_by_id,
        agent_id=turn.agent_id,
        agent_name=turn.message.author_name,
        thread_id=turn.thread_id,
        turn_id=turn.pk,
        message_id=turn.message_id,
    )


def patience_of(retries: int | None) -> Sequence[float]:
    """Waits before each further try: as the installation says, or so many as the agent says."""
    waits: list[float] = list(settings.ONE_MODEL_RETRIES)
    if retries is None:
        return waits
    return [*waits, *[waits[-1] if waits else 1.0] * retries][:retries]
