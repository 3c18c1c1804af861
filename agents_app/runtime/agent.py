"""An agent as everything above sees it: defined in Python, or a row of the database.

``Agent(...)`` may be made at run time, for one request (AG-1, AG-11); ``register_agent`` makes it
known by its code name, so that rows of the database may stand for it in threads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from uuid import UUID

from agents_app.models import Agent as AgentRow
from agents_app.providers.base import ChatMessage, Completion
from agents_app.runtime.knowing import know_vector
from agents_app.runtime.nested import tool_of
from agents_app.runtime.recorded import Caller
from agents_app.runtime.speaking import CallArguments, Prompt, Speaks, as_message
from agents_app.runtime.store import NewMessage, SavedMessage, ThreadInfo, thread_store
from agents_app.runtime.telling import RawHandler, UsageHandler, tell_at_the_end
from agents_app.runtime.telling import UsageReport as UsageReport
from agents_app.tools.definitions import ToolDefinition
from agents_app.types import AgentOptions, read_options
from one_project.accounts.models import Organisation, User
from one_project.common.database import in_thread
from one_project.common.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class StepEnd:
    """A step that has ended: what the model said, and which tools have succeeded in this answer."""

    number: int
    completion: Completion
    succeeded: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextParts:
    """The five parts of a context, in the order they are sent (CX-1), and whose they are."""

    system: tuple[ChatMessage, ...] = ()
    search: tuple[ChatMessage, ...] = ()
    recent: tuple[ChatMessage, ...] = ()
    input_messages: tuple[ChatMessage, ...] = ()
    input_prompt: tuple[ChatMessage, ...] = ()
    existing_responses: tuple[ChatMessage, ...] = ()
    user_id: UUID | None = None
    thread_id: UUID | None = None

    @property
    def all_messages(self) -> tuple[ChatMessage, ...]:
        """Everything but the system's part, in order."""
        return (
            *self.search, *self.recent, *self.input_messages, *self.input_prompt,
            *self.existing_responses,
        )  # fmt: skip


ContextHandler: TypeAlias = Callable[[ContextParts], Sequence[ChatMessage]]
StopCondition: TypeAlias = Callable[[StepEnd], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(Speaks):
    """Who answers. ``tools`` are definitions, or names of an organisation's or built-in tools.

    context_handler: sees the five parts and returns the list the model gets, without the system
    prompt (CX-17). usage_handler, raw_handler: called after each model call (AG-16, AG-17).
    stop_when: besides ``options.max_steps`` and ``options.stop_when``. row: the database's agent,
    where there is one.
    """

    name: str
    description: str = ""
    instructions: str = ""
    model: str = ""
    tools: tuple[ToolDefinition | str, ...] = ()
    options: AgentOptions = field(default_factory=read_options)
    context_handler: ContextHandler | None = None
    usage_handler: UsageHandler | None = None
    raw_handler: RawHandler | None = None
    stop_when: tuple[StopCondition, ...] = ()
    row: AgentRow | None = None

    def _asked(self, call: CallArguments) -> "tuple[Agent, CallArguments]":
        return self, call

    async def create_thread(
        self,
        organisation: Organisation,
        *,
        user: User | None = None,
        title: str = "",
        usage_handler: UsageHandler | None = None,
    ) -> "AgentThread":
        """A new thread; of the organisation itself without ``user``. Raises NotFound.

        ``usage_handler`` is told instead of the agent's, here as in ``continue_thread``.
        """
        thread_id = await in_thread(
            thread_store().create_thread, organisation, user=user, agent=self, title=title
        )
        return AgentThread(self, thread_id, organisation, user, usage_handler)

    async def continue_thread(
        self,
        thread_id: UUID,
        *,
        organisation: Organisation | None = None,
        user: User | None = None,
        usage_handler: UsageHandler | None = None,
    ) -> "AgentThread":
        """A thread of somebody who takes part in it, or any of the organisation (TH-11).

        Any agent may go on with any thread. Raises NotFound.
        """
        found = await in_thread(
            thread_store().find, thread_id, agent=self, organisation=organisation, user=user
        )
        return AgentThread(self, found.id, found.organisation, user or found.user, usage_handler)

    async def save_messages(
        self,
        thread_id: UUID,
        messages: Sequence[NewMessage],
        *,
        organisation: Organisation | None = None,
        user: User | None = None,
        prompt_message_id: UUID | None = None,
    ) -> list[SavedMessage]:
        """Save messages without asking a model; with a prompt's id they join its order (MS-3)."""
        thread = await self.continue_thread(thread_id, organisation=organisation, user=user)
        return await thread.save_messages(messages, prompt_message_id=prompt_message_id)

    async def save_message(
        self,
        thread_id: UUID,
        message: "NewMessage | Prompt",
        *,
        organisation: Organisation | None = None,
        user: User | None = None,
        key: UUID | None = None,
    ) -> SavedMessage:
        """Save one message, by default of the user. The same ``key`` again saves nothing."""
        thread = await self.continue_thread(thread_id, organisation=organisation, user=user)
        return await thread.save_message(message, key=key)

    async def fetch_context(
        self,
        thread_id: UUID,
        *,
        prompt: "Prompt | None" = None,
        prompt_message_id: UUID | None = None,
        messages: Sequence[ChatMessage] = (),
        organisation: Organisation | None = None,
        user: User | None = None,
        options: AgentOptions | None = None,
    ) -> ContextParts:
        """What the model would be given, in its parts (CX-18); nothing is saved or asked."""
        thread = await self.continue_thread(thread_id, organisation=organisation, user=user)
        return await thread.fetch_context(
            prompt=prompt, prompt_message_id=prompt_message_id, messages=messages, options=options
        )

    def as_tool(
        self, name: str, description: str = "", *, argument: str = "prompt"
    ) -> ToolDefinition:
        """A tool that asks this agent, each time in a thread of its own below the asking one.

        ``argument``: what the question is called. Without an organisation nothing is kept.
        Three agents deep at most. Raises TypeError for what is no name of a tool.
        """
        return tool_of(self, name, description or self.description, argument)


@dataclass(frozen=True, slots=True)
class AgentThread(Speaks):
    """An agent in one thread, for one person: the same verbs, bound (TH-11).

    usage_handler: told instead of the agent's; one that a call names wins over both.
    """

    agent: Agent
    thread_id: UUID
    organisation: Organisation
    user: User | None = None
    usage_handler: UsageHandler | None = None

    def _asked(self, call: CallArguments) -> tuple[Agent, CallArguments]:
        bound: CallArguments = {"organisation": self.organisation, "user": self.user}
        if self.usage_handler is not None:
            bound["usage_handler"] = self.usage_handler
        return self.agent, {**bound, **call, "thread_id": self.thread_id}

    async def get_metadata(self) -> ThreadInfo:
        """Title, summary, status and whose it is. Raises NotFound."""
        return await in_thread(
            thread_store().find,
            self.thread_id,
            agent=self.agent,
            organisation=self.organisation,
            user=self.user,
        )

    async def update_metadata(self, **changes: str) -> ThreadInfo:
        """Change ``title``, ``summary`` or ``status`` (TH-4). Raises InvalidInput, NotFound."""
        await self.get_metadata()
        await in_thread(thread_store().update, self.thread_id, changes)
        return await self.get_metadata()

    async def save_messages(
        self, messages: Sequence[NewMessage], *, prompt_message_id: UUID | None = None
    ) -> list[SavedMessage]:
        """As ``Agent.save_messages``."""
        return await in_thread(
            thread_store().save,
            self.thread_id,
            messages,
            agent=self.agent,
            user=self.user,
            prompt_id=prompt_message_id,
        )

    async def save_message(
        self, message: "NewMessage | Prompt", *, key: UUID | None = None
    ) -> SavedMessage:
        """As ``Agent.save_message``."""
        if not isinstance(message, NewMessage):
            said = as_message(message)
            if said is None:
                raise InvalidInput("Please write a message first.")
            message = NewMessage(role=said.role, parts=said.parts, key=key)
        [saved] = await self.save_messages([message])
        return saved

    async def fetch_context(
        self,
        *,
        prompt: "Prompt | None" = None,
        prompt_message_id: UUID | None = None,
        messages: Sequence[ChatMessage] = (),
        options: AgentOptions | None = None,
    ) -> ContextParts:
        """As ``Agent.fetch_context``."""
        found = await self.get_metadata()
        told, asked = options.over(found.options) if options else found.options, as_message(prompt)
        caller = Caller(
            organisation_id=found.organisation.pk,
            user_id=self.user.pk if self.user else None,
            agent_name=self.agent.name,
            thread_id=self.thread_id,
        )
        calls = await know_vector(caller, told, asked)
        await tell_at_the_end(calls, self.usage_handler or self.agent.usage_handler)
        return await in_thread(
            thread_store().context,
            self.thread_id,
            agent=self.agent,
            options=told,
            prompt_id=prompt_message_id,
            prompt=asked,
            messages=messages,
            user=self.user,
        )


def has_successful_tool_call(name: str) -> StopCondition:
    """Stop once the named tool has succeeded; an error does not count (AG-15)."""
    return lambda end: name in end.succeeded


_registered: dict[str, Agent] = {}


def register_agent(code_name: str, agent: Agent) -> Agent:
    """Make an agent known by name: rows with this ``code_name`` are answered by it."""
    _registered[code_name] = agent
    return agent


def registered_agents() -> dict[str, Agent]:
    """Agents defined in Python, by code name."""
    return dict(_registered)


def agent_of(row: AgentRow) -> Agent:
    """The agent behind a row: the one registered in Python, or the row itself.

    Attached prompts follow the agent's own prompt, by name; one query unless they are prefetched.
    Raises pydantic's ValidationError where the stored options are none.
    """
    registered = _registered.get(row.code_name) if row.code_name else None
    if registered is not None:
        return _with_row(registered, row)
    attached = sorted(row.attached_prompts.all(), key=lambda prompt: prompt.name)
    texts = [row.prompt, *(prompt.text for prompt in attached)]
    return Agent(
        name=row.name,
        description=row.description,
        instructions="\n\n".join(text for text in texts if text),
        model=row.model,
        tools=tuple(row.tools),
        options=read_options(row.options),
        row=row,
    )


def _with_row(agent: Agent, row: AgentRow) -> Agent:
    return replace(agent, name=row.name, row=row)
