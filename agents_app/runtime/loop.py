"""The loop of an agent that a program waits for: ask, use tools, ask again.

A turn of the chat is durable and has a loop of its own, in rows. This one lives in one process.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from django.utils import timezone

from agents_app.models import CallStatus
from agents_app.providers.base import ChatMessage, Completion, StreamEvent, Usage
from agents_app.providers.parts import ToolCallPart, ToolResultPart
from agents_app.runtime.agent import Agent, StepEnd
from agents_app.runtime.ask import Restarted
from agents_app.runtime.generate import open_run
from agents_app.runtime.recorded import Recorder
from agents_app.runtime.run import Run, Step, TextResult
from agents_app.runtime.store import ToolUse, keep
from agents_app.runtime.telling import hearing
from agents_app.runtime.tool_use import (
    MAX_IDENTICAL,
    REPEATED,
    ToolOutcome,
    args_hash,
    read_arguments,
    use_tool,
)
from agents_app.tools.catalogue import Offered, must_ask
from agents_app.tools.definitions import ToolContext
from one_project.common.database import in_thread

if TYPE_CHECKING:
    from agents_app.runtime.speaking import CallArguments

NEEDS_APPROVAL = "This needs a person's approval; use a thread turn."
COMES_LATER = "Somebody else gives this result later; use a thread turn."


@dataclass(frozen=True, slots=True)
class ToolDone:
    """A tool has ended; ``result`` is what the model is told."""

    call: ToolCallPart
    result: ToolResultPart


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step has ended and is kept."""

    step: Step


TextEvent: TypeAlias = StreamEvent | Restarted | ToolDone | StepDone


async def text_events(
    agent: Agent, call: "CallArguments"
) -> AsyncGenerator[TextEvent | TextResult, None]:
    """All events of one call, and its result as the last item. Raises ModelError, AppError."""
    run = await open_run(agent, call)
    if (earlier := run.answered()) is not None:
        yield earlier
        return
    loop = _Loop(run)
    try:
        async with aclosing(loop.events()) as events:
            async for event in events:
                yield event
    except BaseException as error:
        await run.fail(error)
        raise
    yield run.result(loop.finish_reason)


class _Loop:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.finish_reason = ""
        self._succeeded: set[str] = set()
        self._seen: Counter[str] = Counter()

    async def events(self) -> AsyncGenerator[TextEvent, None]:
        more = True
        while more:
            number = len(self.run.steps) + 1
            recorder = self._recorder(number)
            async with aclosing(_events_of(self.run, recorder)) as said:
                async for event in said:
                    yield event
            completion = recorder.answer.completion()
            results = await self._use_tools(number, completion)
            for call, result in zip(completion.tool_calls, results, strict=True):
                yield ToolDone(call, result)
            more = self._goes_on(number, completion)
            step = _step(number, completion, recorder, results)
            await self.run.end_step(completion, step, more=more)
            self.run.messages.append(ChatMessage("assistant", completion.parts))
            if results:
                self.run.messages.append(ChatMessage("tool", tuple(results)))
            yield StepDone(step)

    def _recorder(self, number: int) -> Recorder:
        run = self.run
        tools = tuple(offered.definition.spec for offered in run.tools.values())
        choice = run.options.tool_choice if tools else None
        if tools and 1 < run.max_steps <= number:
            choice = "none"  # the last step is for words; nobody would read what tools find
        return run.recording(run.request(tools=tools, tool_choice=choice))

    def _goes_on(self, number: int, completion: Completion) -> bool:
        """AG-4: tools were asked for, and nothing says that this is enough."""
        run = self.run
        if self.finish_reason == "repeated_calls":
            return False
        self.finish_reason = completion.finish_reason
        if completion.finish_reason != "tool_calls" or not completion.tool_calls:
            return False
        if number >= run.max_steps or self._succeeded & set(run.options.stop_when or ()):
            return False
        end = StepEnd(number, completion, frozenset(self._succeeded))
        return not any(met(end) for met in run.call.get("stop_when", run.agent.stop_when))

    async def _use_tools(self, number: int, completion: Completion) -> list[ToolResultPart]:
        calls = completion.tool_calls
        if not calls:
            return []
        if self.run.recorder is not None:
            # Tools may take long: what was asked of the model is metered whatever becomes of them.
            await in_thread(keep, self.run.recorder.calls, [])
        uses = await asyncio.gather(
            *(self._use(number, position, call) for position, call in enumerate(calls))
        )
        self._succeeded |= {
            use.call.name for use in uses if use.outcome.status == CallStatus.SUCCEEDED
        }
        return [_result(use) for use in uses]

    async def _use(self, number: int, position: int, call: ToolCallPart) -> ToolUse:
        began = timezone.now()
        offered = self.run.tools.get(call.name)
        context = self.run.tool_context(number, position, offered)
        use = ToolUse(
            call=call,
            position=position,
            offered=offered,
            context=context,
            outcome=await self._outcome(call, offered, context),
            started_at=began,
            finished_at=timezone.now(),
            message_id=self.run.noted_message_id,
        )
        self.run.uses.append(use)
        return use

    async def _outcome(
        self, call: ToolCallPart, offered: Offered | None, context: ToolContext
    ) -> ToolOutcome:
        if offered is None:
            return ToolOutcome.error(f"There is no tool {call.name!r} here.", "unknown_tool")
        if problem := read_arguments(offered.definition, call.arguments):
            return ToolOutcome.error(problem, "invalid_arguments")
        assert isinstance(call.arguments, dict)  # read_arguments has seen to it
        same = args_hash(call.name, call.arguments)
        self._seen[same] += 1
        if self._seen[same] >= MAX_IDENTICAL:
            self.finish_reason = "repeated_calls"
            return ToolOutcome.error(REPEATED, "repeated_call")
        setting = (self.run.options.approvals or {}).get(offered.definition.name, "")
        if await in_thread(must_ask, offered, context, call.arguments, setting):
            return ToolOutcome.error(NEEDS_APPROVAL, "needs_approval", CallStatus.DENIED)
        with hearing() as calls:
            outcome = await use_tool(offered.definition, context, call.arguments)
        self.run.heard += calls
        if outcome.status == CallStatus.WAITING:
            return ToolOutcome.error(COMES_LATER, "comes_later")
        return outcome


async def _events_of(run: Run, recorder: Recorder) -> AsyncGenerator[StreamEvent | Restarted, None]:
    async with aclosing(recorder.ask(run.patience)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            if isinstance(batch, Restarted):
                yield batch
                continue
            for event in batch:
                yield event


def _result(use: ToolUse) -> ToolResultPart:
    return ToolResultPart(
        call_id=use.call.id,
        name=use.call.name,
        output=use.outcome.told,
        is_error=use.outcome.status != CallStatus.SUCCEEDED,
    )


def _step(
    number: int, completion: Completion, recorder: Recorder, results: list[ToolResultPart]
) -> Step:
    recorded = recorder.calls[-1]
    return Step(
        number=number,
        parts=completion.parts,
        finish_reason=completion.finish_reason,
        usage=recorded.usage or Usage(),
        model=recorded.model,
        provider=recorded.provider,
        results=tuple(results),
    )
