"""A model call as it is kept in the ledger: measured here, stored by ``services.ai_calls``."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings

from agents_app.models import AICallStatus, Purpose
from agents_app.providers.base import (
    ChatModel,
    ChatRequest,
    Completion,
    CompletionBuilder,
    StreamEvent,
    Usage,
    estimate_usage,
)
from agents_app.providers.errors import CUT_OFF, ModelError
from agents_app.providers.events import Finished, output_chars
from agents_app.runtime.ask import Patience, Restarted, ask


@dataclass(slots=True, kw_only=True)
class Caller:
    """Whose call it is."""

    organisation_id: UUID | None = None
    user_id: UUID | None = None
    agent_id: UUID | None = None
    agent_name: str = ""
    thread_id: UUID | None = None
    turn_id: UUID | None = None
    message_id: UUID | None = None
    purpose: str = Purpose.ANSWER


@dataclass(slots=True, kw_only=True)
class RecordedCall:
    """One call that has ended. Times in ms."""

    caller: Caller
    status: str
    model: str
    provider: str
    usage: Usage
    duration_ms: int
    first_token_ms: int | None = None
    finish_reason: str = ""
    error_code: str = ""
    error: str = ""
    request: dict[str, Any] | None = None
    response: dict[str, Any] | None = None


@dataclass(slots=True)
class Recorder:
    """Asks a model and notes every call that it takes, also those that failed and were repeated.

    ``completion`` is what has been said so far; ``calls`` what is to be stored.
    """

    model: ChatModel
    request: ChatRequest
    caller: Caller
    calls: list[RecordedCall] = field(default_factory=list)
    answer: CompletionBuilder = field(default_factory=CompletionBuilder)
    _began: float = field(default_factory=time.monotonic)
    _first: float | None = None
    _produced: int = 0

    async def ask(self, patience: Patience) -> AsyncIterator[list[StreamEvent] | Restarted]:
        """As ``runtime.ask``. Raises ModelError, also when the answer was cut off."""
        try:
            events: list[StreamEvent] | Restarted
            async for events in ask(self.model, self.request, patience, failed=self._failed):
                if isinstance(events, Restarted):
                    self.answer = CompletionBuilder()
                else:
                    if self._first is None:
                        self._first = time.monotonic()
                    self._produced += output_chars(events)
                    self.answer.add(events)
                yield events
        except ModelError as error:
            self._note(AICallStatus.FAILED, error=error)
            raise
        if self.answer.finished is None:
            cut = ModelError("connection", CUT_OFF, detail="the stream ended without an end")
            self._note(AICallStatus.FAILED, error=cut)
            raise cut
        self._note(AICallStatus.SUCCESS)

    def stopped(self) -> None:
        """Somebody ended the call before the model did; what it said is paid for."""
        self._note(AICallStatus.STOPPED)

    def _failed(self, error: ModelError) -> None:
        """An attempt that is repeated."""
        self._note(AICallStatus.FAILED, error=error)
        self._began, self._first, self._produced = time.monotonic(), None, 0

    def _note(self, status: str, error: ModelError | None = None) -> None:
        now = time.monotonic()
        completion = self.answer.completion()
        usage = completion.usage
        if usage is None:
            said_nothing = error is not None and not self._produced
            usage = Usage() if said_nothing else estimate_usage(self.request, self._produced)
        end = self.answer.finished or Finished("unknown")
        self.calls.append(
            RecordedCall(
                caller=self.caller,
                status=status,
                model=completion.model or self.model.model,
                provider=self.model.provider,
                usage=usage,
                duration_ms=round((now - self._began) * 1000),
                first_token_ms=None
                if self._first is None
                else round((self._first - self._began) * 1000),
                finish_reason="" if error else end.reason,
                error_code=error.code if error else "",
                error=(error.detail or error.message_for_person)[:2000] if error else "",
                request=self.request.to_json() if settings.ONE_RAW_CALL_DAYS else None,
                response=_raw(completion) if settings.ONE_RAW_CALL_DAYS else None,
            )
        )


def _raw(completion: Completion) -> dict[str, Any]:
    parts = [part.to_json() for part in completion.parts]
    return {"id": completion.response_id, "parts": parts}
