"""A model call as it is kept in the ledger: measured here, stored by ``services.ai_calls``."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone

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
from agents_app.providers.parts import ReasoningPart
from agents_app.runtime.ask import Patience, Restarted, ask
from one_project.common.ids import new_id

if TYPE_CHECKING:
    from agents_app.runtime.spending import Held

# Seconds after which a call that goes on is heard of again: so much of an answer is not counted
# where its process is killed.
SAY_EVERY: Final = 15.0


@dataclass(slots=True, kw_only=True)
class Caller:
    """Whose call it is. Without a user it is the organisation's own."""

    organisation_id: UUID | None = None
    user_id: UUID | None = None
    team_id: UUID | None = None
    agent_id: UUID | None = None
    agent_name: str = ""
    thread_id: UUID | None = None
    turn_id: UUID | None = None
    message_id: UUID | None = None
    purpose: str = Purpose.ANSWER


@dataclass(slots=True, kw_only=True)
class RecordedCall:
    """One call that has ended: one attempt, with an id of its own. Times in ms.

    ``model`` is the one that answered, else the one that was asked (``model_requested``);
    ``model_returned`` what the provider says, if it does. ``service_tier``: as the provider says it
    was served, else as it was asked for. ``reservation_id``: what was held back for it. ``cost``
    (US dollars) is known once it is kept; None also where its price is missing.
    """

    caller: Caller
    status: str
    model: str
    provider: str
    usage: Usage
    duration_ms: int
    id: UUID = field(default_factory=new_id)
    ended_at: datetime = field(default_factory=timezone.now)
    model_requested: str = ""
    model_returned: str = ""
    service_tier: str = ""
    reservation_id: UUID | None = None
    first_token_ms: int | None = None
    finish_reason: str = ""
    error_code: str = ""
    error: str = ""
    request: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    cost: Decimal | None = None

    @property
    def is_aborted(self) -> bool:
        """Stopped or failed, whatever it said before."""
        return self.status != AICallStatus.SUCCESS


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
    _held: "Held | None" = None
    _noted_id: UUID | None = None
    _heard: float = 0.0
    _saying: "asyncio.Future[None] | None" = None
    _is_asking: bool = False
    _began: float = field(default_factory=time.monotonic)
    _first: float | None = None
    _produced: int = 0

    async def ask(self, patience: Patience) -> AsyncIterator[list[StreamEvent] | Restarted]:
        """As ``runtime.ask``. Raises ModelError, also when the answer was cut off, and where a
        budget does not cover the call: then nothing was asked, and nothing is noted."""
        # It knows callers, so it cannot be known when they are defined.
        from agents_app.runtime.spending import held

        self._held = await held(self.caller, self.model, self.request)
        self.request, self._heard = self._held.request, time.monotonic()
        self._noted_id = self._held.call_id
        try:
            events: list[StreamEvent] | Restarted
            async for events in ask(
                self.model, self.request, patience, begun=self._begin, failed=self._failed
            ):
                if isinstance(events, Restarted):
                    self.answer = CompletionBuilder()
                else:
                    if self._first is None:
                        self._first = time.monotonic()
                    self._produced += output_chars(events)
                    self.answer.add(events)
                self._go_on()
                yield events
        except ModelError as error:
            self._note(AICallStatus.FAILED, error=error)
            raise
        except BaseException:
            # Left or cancelled while the model spoke, whether or not somebody says so.
            self.stopped()
            raise
        if self.answer.finished is None:
            cut = ModelError("connection", CUT_OFF, detail="the stream ended without an end")
            self._note(AICallStatus.FAILED, error=cut)
            raise cut
        self._note(AICallStatus.SUCCESS)

    def stopped(self) -> None:
        """Somebody ended the call before the model did; what it said is paid for.

        Nothing is noted where no call is under way: it has ended, or waits to be repeated.
        """
        if self._is_asking:
            finished = self.answer.finished is not None
            self._note(AICallStatus.SUCCESS if finished else AICallStatus.STOPPED)

    def _go_on(self) -> None:
        """Say now and then that the call goes on; nobody waits for it."""
        from agents_app.runtime.spending import go_on

        now = time.monotonic()
        if self._held is not None and now - self._heard >= SAY_EVERY:
            self._heard = now
            self._saying = asyncio.ensure_future(go_on(self._held, self._produced))

    def _begin(self) -> None:
        """An attempt begins."""
        self._is_asking = True
        self._began, self._first, self._produced = time.monotonic(), None, 0

    def _failed(self, error: ModelError) -> None:
        """An attempt that is repeated."""
        self._note(AICallStatus.FAILED, error=error)

    def _note(self, status: str, error: ModelError | None = None) -> None:
        now = time.monotonic()
        self._is_asking = False
        completion = self.answer.completion()
        said = completion.usage
        if said is None:
            said_nothing = error is not None and not self._produced
            said = Usage() if said_nothing else self._estimated(completion)
        end = self.answer.finished or Finished("unknown")
        asked = self.request.model or self.model.model
        tier = completion.service_tier or self.request.provider_options.get("service_tier") or ""
        # The first attempt has the id that was noted: all that are made are kept together.
        held, noted, self._noted_id = self._held, self._noted_id, None
        self.calls.append(
            RecordedCall(
                id=noted or new_id(),
                caller=self.caller,
                status=status,
                model=completion.model or asked,
                model_requested=asked,
                model_returned=completion.model,
                service_tier=str(tier),
                reservation_id=held.reservation_id if held else None,
                provider=self.model.provider,
                usage=said,
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

    def _estimated(self, completion: Completion) -> Usage:
        thought = [part.text for part in completion.parts if isinstance(part, ReasoningPart)]
        return estimate_usage(self.request, self._produced, sum(map(len, thought)))


def _raw(completion: Completion) -> dict[str, Any]:
    parts = [part.to_json() for part in completion.parts]
    return {"id": completion.response_id, "parts": parts}
