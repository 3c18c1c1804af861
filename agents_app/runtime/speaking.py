"""The verbs of an agent, for programs: the same ones on the agent and on a thread it continues."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypedDict, TypeVar, Unpack, cast
from uuid import UUID

from pydantic import BaseModel

from agents_app.providers.parts import ChatMessage, Part, TextPart
from agents_app.tools.definitions import ToolDefinition
from agents_app.types import AgentOptions
from one_project.accounts.models import Organisation, User

if TYPE_CHECKING:
    from agents_app.runtime.agent import Agent, ContextHandler, StopCondition
    from agents_app.runtime.loop import TextEvent
    from agents_app.runtime.objects import ObjectResult, Partial
    from agents_app.runtime.run import TextResult
    from agents_app.runtime.telling import RawHandler, UsageHandler

E = TypeVar("E")
R = TypeVar("R")
M = TypeVar("M", bound=BaseModel)

Prompt = str | ChatMessage | Sequence[Part]


class CallArguments(TypedDict, total=False):
    """What one call may say; each wins over the thread's and the agent's own (AG-2).

    prompt, messages, prompt_message_id: the question, as text or parts, after further messages, or
    as a message of the thread; text beside an id is sent in its stead (AG-8, AG-9).
    thread_id: where it is said and kept; none: nothing is kept (AG-11).
    organisation, user: for whom; by default the thread's. custom: for the tools' context.
    tools: replace the agent's. key: the same again is the same call, not another one.
    purpose, about_thread_id, about_message_id: as the ledger names it, for calls that nothing is
    said of there; tools are told the thread, too.
    """

    prompt: Prompt
    messages: Sequence[ChatMessage]
    prompt_message_id: UUID | None
    thread_id: UUID | None
    organisation: Organisation | None
    user: User | None
    options: AgentOptions
    tools: Sequence[ToolDefinition | str]
    custom: Mapping[str, Any]
    stop_when: "Sequence[StopCondition]"
    context_handler: "ContextHandler"
    usage_handler: "UsageHandler"
    raw_handler: "RawHandler"
    key: UUID | None
    purpose: str
    about_thread_id: UUID | None
    about_message_id: UUID | None


class Stream(Generic[E, R]):
    """What arrives, then what came of it: iterate, then ``await stream.result()``.

    Leave it early with ``async with stream:`` (or ``aclose``): the model is stopped, and the
    pending message fails as stopped.
    """

    def __init__(self, source: AsyncGenerator[Any, None], result: type[R]) -> None:
        self._source = source
        self._kind = result
        self._result: R | None = None

    async def __aiter__(self) -> AsyncIterator[E]:
        async for item in self._source:
            if isinstance(item, self._kind):
                self._result = item
            else:
                yield cast(E, item)

    async def result(self) -> R:
        """What came of it, read to its end. Raises what the model or the store raises."""
        async for _ in self:
            pass
        if self._result is None:
            raise RuntimeError("this stream was left before its end")
        return self._result

    async def aclose(self) -> None:
        await self._source.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


class Speaks(ABC):
    """Whoever can be asked. Subclasses say which agent answers, and what holds for every call."""

    __slots__ = ()

    @abstractmethod
    def _asked(self, call: CallArguments) -> "tuple[Agent, CallArguments]":
        """Who answers, and the call with what holds for every call."""

    async def generate_text(self, **call: Unpack[CallArguments]) -> "TextResult":
        """Answer, using tools in a loop. Raises ModelError, AppError."""
        return await self.stream_text(**call).result()

    def stream_text(self, **call: Unpack[CallArguments]) -> "Stream[TextEvent, TextResult]":
        """As ``generate_text``, with the model's events and the ends of tools and steps."""
        # The loop knows agents, so it cannot be known when agents are defined.
        from agents_app.runtime.loop import text_events
        from agents_app.runtime.run import TextResult

        return Stream(text_events(*self._asked(call)), TextResult)

    async def generate_object(
        self, schema: type[M], **call: Unpack[CallArguments]
    ) -> "ObjectResult[M]":
        """An object of ``schema``. Raises ObjectInvalid after one repair, ModelError, AppError."""
        return await self.stream_object(schema, **call).result()

    def stream_object(
        self, schema: type[M], **call: Unpack[CallArguments]
    ) -> "Stream[Partial, ObjectResult[M]]":
        """As ``generate_object``, with the object as far as it is known, again and again."""
        from agents_app.runtime.objects import ObjectResult, object_events

        return Stream(object_events(*self._asked(call), schema), ObjectResult)


def as_message(prompt: "Prompt | None") -> ChatMessage | None:
    """Text and parts are said by a user; empty text is nothing."""
    if prompt is None or isinstance(prompt, ChatMessage):
        return prompt
    parts = (TextPart(prompt),) if isinstance(prompt, str) else tuple(prompt)
    return ChatMessage("user", parts) if prompt else None
