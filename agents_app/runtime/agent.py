"""An agent as everything above sees it: defined in Python, or a row of the database.

``Agent(...)`` may be made at run time, for one request (AG-1, AG-11); ``register_agent`` makes it
known by its code name, so that rows of the database may stand for it in threads.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from uuid import UUID

from agents_app.models import Agent as AgentRow
from agents_app.providers.base import ChatMessage, Completion, Usage
from agents_app.tools.definitions import ToolDefinition
from agents_app.types import AgentOptions, read_options


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What a usage handler is given after each model call (AG-16)."""

    organisation_id: UUID | None
    user_id: UUID | None
    thread_id: UUID | None
    agent_name: str
    model: str
    provider: str
    usage: Usage


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
UsageHandler: TypeAlias = Callable[[UsageReport], "Awaitable[None] | None"]
RawHandler: TypeAlias = Callable[[dict[str, Any], dict[str, Any]], "Awaitable[None] | None"]
StopCondition: TypeAlias = Callable[[StepEnd], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
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

    Attached prompts follow the agent's own prompt. Raises pydantic's ValidationError where the
    stored options are none.
    """
    registered = _registered.get(row.code_name) if row.code_name else None
    if registered is not None:
        return _with_row(registered, row)
    texts = [row.prompt, *(prompt.text for prompt in row.attached_prompts.order_by("name"))]
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
