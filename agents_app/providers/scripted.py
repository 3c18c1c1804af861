"""A chat model that plays back a script: for tests, deterministic and without any network.

Not the demo model: it reads nothing of what it is asked. Safe to use from several threads, as long
as each answer is read on one event loop.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from agents_app.providers.base import (
    ChatRequest,
    Completion,
    Finished,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallPart,
    Usage,
    collect,
    estimate_usage,
    output_chars,
)

# Waited for in the middle of an answer, so that a test holds it there without sleeping.
Gate: TypeAlias = asyncio.Event | Callable[[], Awaitable[object]]

# One item is one network read: text, an event, a whole tool call, several events, or a gate.
ScriptItem: TypeAlias = str | StreamEvent | ToolCallPart | list[StreamEvent] | Gate


class ScriptEndedError(AssertionError):
    """The model was asked more often than the script has answers."""


@dataclass(frozen=True, slots=True)
class ScriptedStep:
    """One answer.

    items: what it sends, in order; `Finished` is added when missing. initial_delay, chunk_delay:
    seconds before the first item and between items. fail: raised after the items, instead of
    `Finished`. usage: for the added `Finished`; estimated when None.
    """

    items: Sequence[ScriptItem] = ()
    initial_delay: float = 0.0
    chunk_delay: float = 0.0
    fail: BaseException | None = None
    usage: Usage | None = None


Script: TypeAlias = ScriptedStep | str | BaseException | Sequence[ScriptItem]


class ScriptedModel:
    """Answers the n-th request with the n-th step.

    A step is a `ScriptedStep`, a text (sent word by word), an exception (raised at once) or a list
    of items. chunk_delay, initial_delay: for the steps that do not say, in seconds. repeat: start
    again after the last step. `requests` holds what was asked; `started`, `completed` and `closed`
    count answers that began, ended by themselves (also by failing) and were cut by the reader.
    """

    provider = "scripted"

    def __init__(
        self,
        steps: Iterable[Script] = (),
        *,
        model: str = "scripted",
        initial_delay: float = 0.0,
        chunk_delay: float = 0.0,
        repeat: bool = False,
    ) -> None:
        self.model = model
        self.requests: list[ChatRequest] = []
        self.started = 0
        self.completed = 0
        self.closed = 0
        self._initial_delay = initial_delay
        self._chunk_delay = chunk_delay
        self._repeat = repeat
        self._steps: deque[ScriptedStep] = deque()
        self.enqueue(*steps)

    def enqueue(self, *steps: Script) -> None:
        """Add answers after those that are left."""
        self._steps.extend(self._as_step(step) for step in steps)

    def prepare(self) -> None:
        """Nothing to prepare."""

    @property
    def remaining(self) -> int:
        """How many answers are left."""
        return len(self._steps)

    @property
    def last_request(self) -> ChatRequest:
        """The newest request. Raises IndexError before the first."""
        return self.requests[-1]

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[StreamEvent], None]:
        """See `ChatModel.stream`. Raises the step's failure; ScriptEndedError when none is left."""
        step = self._next_step(request)
        self.started += 1
        sent: list[StreamEvent] = []
        try:
            await _pause(step.initial_delay)
            for index, item in enumerate(step.items):
                if index:
                    await _pause(step.chunk_delay)
                events = await _events_of(item, sent)
                if events:
                    sent.extend(events)
                    yield events
            if step.fail is not None:
                raise step.fail
            if not any(isinstance(event, Finished) for event in sent):
                yield [self._finished(step, request, sent)]
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            raise
        except BaseException:
            self.completed += 1
            raise
        self.completed += 1

    async def complete(self, request: ChatRequest) -> Completion:
        """Return the whole answer. Raises what `stream` raises."""
        return await collect(self.stream(request))

    def _next_step(self, request: ChatRequest) -> ScriptedStep:
        self.requests.append(request)
        try:
            step = self._steps.popleft()
        except IndexError:
            count = len(self.requests)
            raise ScriptEndedError(f"request {count} has no answer in the script") from None
        if self._repeat:
            self._steps.append(step)
        return step

    def _finished(
        self, step: ScriptedStep, request: ChatRequest, sent: Sequence[StreamEvent]
    ) -> Finished:
        called = any(isinstance(event, ToolCallDelta) for event in sent)
        usage = step.usage or estimate_usage(request, output_chars(sent))
        number = len(self.requests)
        return Finished("tool_calls" if called else "stop", usage, self.model, f"scripted-{number}")

    def _as_step(self, script: Script) -> ScriptedStep:
        if isinstance(script, ScriptedStep):
            return script
        items: Sequence[ScriptItem]
        fail: BaseException | None = None
        if isinstance(script, BaseException):
            items, fail = (), script
        elif isinstance(script, str):
            items = list(_words(script))
        else:
            items = tuple(script)
        return ScriptedStep(items, self._initial_delay, self._chunk_delay, fail)


def _words(text: str) -> Iterator[str]:
    """The text in pieces that end after each space; joined they are the text again."""
    start = 0
    while start < len(text):
        end = text.find(" ", start) + 1 or len(text)
        yield text[start:end]
        start = end


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


async def _events_of(item: ScriptItem, sent: Sequence[StreamEvent]) -> list[StreamEvent]:
    if isinstance(item, asyncio.Event):
        await item.wait()
        return []
    if isinstance(item, str):
        return [TextDelta(item)]
    if isinstance(item, list):
        return list(item)
    if isinstance(item, ToolCallPart):
        return [_call_delta(item, sent)]
    if callable(item):
        await item()
        return []
    return [item]


def _call_delta(call: ToolCallPart, sent: Sequence[StreamEvent]) -> ToolCallDelta:
    """A whole call as one delta, numbered after the calls already sent."""
    used = {event.index for event in sent if isinstance(event, ToolCallDelta)}
    raw = call.arguments
    arguments = raw if isinstance(raw, str) else orjson.dumps(raw).decode()
    return ToolCallDelta(len(used), call.id, call.name, arguments, call.provider_metadata)
