"""One call of an agent by a program, once opened: its steps kept as they end, or its failure."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from django.conf import settings

from agents_app.errors import AgentExecutionError
from agents_app.models import Purpose
from agents_app.providers.base import ChatModel, ChatRequest, Completion, ToolSpec, Usage
from agents_app.providers.errors import ModelError
from agents_app.providers.parts import ChatMessage, Part, ToolCallPart, ToolResultPart
from agents_app.runtime.agent import Agent
from agents_app.runtime.ask import Patience
from agents_app.runtime.context import trim
from agents_app.runtime.recorded import Caller, RecordedCall, Recorder
from agents_app.runtime.store import (
    Begun,
    NewMessage,
    SavedMessage,
    ThreadInfo,
    ToolUse,
    keep,
    thread_store,
)
from agents_app.runtime.telling import UsageHandler, tell, tell_at_the_end, tell_usage
from agents_app.runtime.tokens import context_window, count_tools
from agents_app.tools.catalogue import Offered
from agents_app.tools.definitions import ToolContext
from agents_app.types import DEFAULT_MAX_STEPS, AgentOptions
from one_project.accounts.models import Organisation, User
from one_project.common.database import in_thread
from one_project.common.errors import AppError
from one_project.common.ids import new_id

if TYPE_CHECKING:
    from agents_app.runtime.speaking import CallArguments

STOPPED = "Stopped"
# Tokens left free for the answer, where the options do not say.
ANSWER_RESERVE = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One model call and the tools it asked for. ``results`` are what the model is told."""

    number: int
    parts: tuple[Part, ...]
    finish_reason: str
    usage: Usage
    model: str
    provider: str
    results: tuple[ToolResultPart, ...] = ()

    @property
    def text(self) -> str:
        return ChatMessage("assistant", self.parts).plain_text

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCallPart))


@dataclass(frozen=True, slots=True, kw_only=True)
class TextResult:
    """What an agent said (AG-12). ``text`` and ``parts`` are the last step's, the rest of all.

    finish_reason: the model's, or ``repeated_calls``. prompt_message_id, order: where it was kept,
    None where nothing was. saved_messages: in their order, inputs first.
    """

    text: str
    parts: tuple[Part, ...]
    tool_calls: tuple[ToolCallPart, ...]
    steps: tuple[Step, ...]
    usage: Usage
    finish_reason: str
    prompt_message_id: UUID | None = None
    order: int | None = None
    saved_messages: tuple[SavedMessage, ...] = ()


@dataclass(slots=True, kw_only=True)
class Run:
    """A call that has been opened: who answers whom, with what, and what has come of it.

    ``heard``: calls of models that its tools took, kept, and not told of yet.
    """

    agent: Agent
    call: "CallArguments"
    options: AgentOptions
    model: ChatModel
    thread: ThreadInfo | None
    organisation: Organisation | None
    user: User | None
    tools: dict[str, Offered]
    messages: list[ChatMessage]
    prompt_id: UUID | None
    pinned: tuple[ChatMessage, ...] = ()
    begun: Begun | None = None
    pending_id: UUID | None = None
    steps: list[Step] = field(default_factory=list)
    saved: list[SavedMessage] = field(default_factory=list)
    uses: list[ToolUse] = field(default_factory=list)
    heard: list[RecordedCall] = field(default_factory=list)
    recorder: Recorder | None = None

    @property
    def noted_message_id(self) -> UUID | None:
        """What the ledger notes calls under."""
        return self.pending_id or self.call.get("about_message_id")

    @property
    def max_steps(self) -> int:
        return self.options.max_steps or DEFAULT_MAX_STEPS

    @property
    def patience(self) -> Patience:
        waits: list[float] = list(settings.ONE_MODEL_RETRIES)
        if self.options.retries is not None:
            waits = (waits + waits[-1:] * self.options.retries)[: self.options.retries]
        return Patience(
            first=settings.ONE_TURN_FIRST_TOKEN_TIMEOUT,
            idle=settings.ONE_TURN_IDLE_TIMEOUT,
            retries=waits,
        )

    def request(self, tools: Sequence[ToolSpec] = (), **more: Any) -> ChatRequest:
        """What the model is asked now: the newest that it takes, the question always in it."""
        options, model = self.options, self.model.model
        window = context_window(model)
        room = window - min(options.max_tokens or ANSWER_RESERVE, window // 4)
        return ChatRequest(
            messages=tuple(
                trim(
                    self.messages,
                    room - count_tools(tools, model),
                    keep=self.pinned,
                    model=model,
                )
            ),
            tools=tuple(tools),
            temperature=options.temperature,
            top_p=options.top_p,
            max_tokens=options.max_tokens,
            provider_options=options.provider_options or {},
            user=str(self.user.pk) if self.user else None,
            **more,
        )

    def recording(self, request: ChatRequest, purpose: str = Purpose.ANSWER) -> Recorder:
        """The next model call, whose record is kept however it ends."""
        self.recorder = Recorder(self.model, request, self.caller(purpose))
        return self.recorder

    def caller(self, purpose: str = Purpose.ANSWER) -> Caller:
        """Whose calls these are, for the ledger."""
        return Caller(
            organisation_id=self.organisation.pk if self.organisation else None,
            user_id=self.user.pk if self.user else None,
            agent_id=self.agent.row.pk if self.agent.row else None,
            agent_name=self.agent.name,
            thread_id=self.thread.id if self.thread else self.call.get("about_thread_id"),
            message_id=self.noted_message_id,
            purpose=self.call.get("purpose") or purpose,
        )

    @property
    def usage_handler(self) -> UsageHandler | None:
        return self.call.get("usage_handler", self.agent.usage_handler)

    def tool_context(self, step: int, position: int, offered: Offered | None) -> ToolContext:
        """For one use of a tool; its key is the same when the call is repeated by its own key."""
        key = self.call.get("key")
        custom = self.call.get("custom")
        return ToolContext(
            # Without an organisation tools see one that owns nothing and was never saved.
            organisation=self.organisation or Organisation(),
            user=self.user,
            agent=self.agent.row,
            thread_id=self.thread.id if self.thread else self.call.get("about_thread_id"),
            message_id=self.prompt_id,
            key=uuid5(key, f"{self.prompt_id} {step} {position}") if key else new_id(),
            custom=dict(self.options.custom or {}) if custom is None else custom,
            config=offered.definition.config if offered else {},
        )

    async def end_step(self, completion: Completion, step: Step, *, more: bool) -> None:
        """Keep a step that has ended, then tell the handlers."""
        recorder = await self._keep()
        await self._store(step, more=more)
        self.steps.append(step)
        await self._tell(recorder)

    async def waste_step(self, completion: Completion) -> None:
        """A model call whose answer is of no use: nothing is stored but the call."""
        await self._tell(await self._keep())

    async def _keep(self) -> Recorder:
        recorder, uses = self.recorder, self.uses
        assert recorder is not None
        self.uses, self.recorder = [], None
        await in_thread(keep, recorder.calls, uses)
        return recorder

    async def _store(self, step: Step, *, more: bool) -> None:
        if self.thread is None or self.begun is None or self.pending_id is None:
            return
        said = NewMessage(
            role="assistant",
            parts=step.parts,
            model=step.model,
            provider=step.provider,
            finish_reason=step.finish_reason,
            usage=step.usage.to_json(),
            provider_options=self.options.provider_options,
        )
        told = [NewMessage(role="tool", parts=step.results)] if step.results else []
        pending_id, self.pending_id = self.pending_id, None
        saved, self.pending_id = await in_thread(
            thread_store().end_step,
            self.thread.id,
            agent=self.agent,
            prompt_id=self.begun.prompt.id,
            pending_id=pending_id,
            messages=[said, *told],
            more=more,
            key=self.call.get("key"),
        )
        self.saved += saved

    async def _tell(self, recorder: Recorder) -> None:
        raw = self.call.get("raw_handler", self.agent.raw_handler)
        await tell(recorder, raw, self.usage_handler)
        heard, self.heard = self.heard, []
        await tell_usage(heard, self.usage_handler)

    async def fail(self, error: BaseException) -> None:
        """Keep what was used, and mark what was pending as failed (AG-10)."""
        stopped = isinstance(error, asyncio.CancelledError | GeneratorExit)
        if self.recorder is not None:
            self.recorder.stopped()  # what is under way still, whatever went wrong
        calls = self.recorder.calls if self.recorder else []
        await in_thread(keep, calls, self.uses)
        await tell_at_the_end([*calls, *self.heard], self.usage_handler)
        if self.thread is None or self.pending_id is None:
            return
        text, code = (STOPPED, "stopped") if stopped else self._words(error)
        await in_thread(thread_store().fail, self.thread.id, self.pending_id, error=text, code=code)

    def _words(self, error: BaseException) -> tuple[str, str]:
        if isinstance(error, ModelError):
            return error.message_for_person, error.code
        if isinstance(error, AppError):
            return error.user_message, error.code
        return AgentExecutionError.user_message, AgentExecutionError.code

    def result(self, finish_reason: str) -> TextResult:
        """What has come of it, at the end."""
        last = self.steps[-1]
        return TextResult(
            text=last.text,
            parts=last.parts,
            tool_calls=tuple(call for step in self.steps for call in step.tool_calls),
            steps=tuple(self.steps),
            usage=sum((step.usage for step in self.steps), Usage()),
            finish_reason=finish_reason,
            prompt_message_id=self.prompt_id,
            order=self.begun.prompt.order if self.begun else None,
            saved_messages=tuple(self.saved),
        )

    def answered(self) -> TextResult | None:
        """What an earlier run with this key has said."""
        found = self.begun.answered if self.begun else None
        if found is None:
            return None
        return TextResult(
            text=found.text,
            parts=found.parts,
            tool_calls=(),
            steps=(),
            usage=Usage(),
            finish_reason=found.finish_reason,
            prompt_message_id=self.prompt_id,
            order=found.order,
            saved_messages=(found,),
        )
