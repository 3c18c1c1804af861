"""Where a program's answers are kept: what the runtime asks of the apps and services above it.

``ThreadStore`` is the threads' side (registered by chat_app), ``Ledger`` the record of model calls
and uses of tools (registered by ``agents_app.services.generate``). Their methods are plain
functions that use the database: call them through ``in_thread``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from agents_app.providers.parts import ChatMessage, Part, Role, ToolCallPart
from agents_app.runtime.recorded import RecordedCall
from agents_app.runtime.tool_use import ToolOutcome
from agents_app.tools.catalogue import Offered
from agents_app.tools.definitions import ToolContext
from agents_app.types import AgentOptions
from one_project.accounts.models import Organisation, User
from one_project.common.errors import InvalidInput

if TYPE_CHECKING:
    from agents_app.runtime.agent import Agent, ContextParts


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message to be saved. ``model`` to ``usage`` are of what a model said (T-G14)."""

    role: Role
    parts: tuple[Part, ...]
    model: str = ""
    provider: str = ""
    finish_reason: str = ""
    usage: dict[str, Any] | None = None
    provider_options: dict[str, Any] | None = None
    key: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMessage:
    """A message with its place. ``status``: pending, success or failed."""

    id: UUID
    order: int
    step_order: int
    role: Role
    status: str
    text: str
    parts: tuple[Part, ...]
    finish_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadInfo:
    """Whose thread it is. ``options``: the thread's over the agent's (AG-2)."""

    id: UUID
    organisation: Organisation
    user: User | None
    options: AgentOptions
    title: str
    summary: str
    status: str
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An answer that has been begun: its prompt, the inputs saved, the pending row.

    ``answered``: a run with this key has ended already, and this is what it said.
    """

    prompt: SavedMessage
    saved: tuple[SavedMessage, ...]
    pending: SavedMessage | None
    answered: SavedMessage | None = None


class ThreadStore(Protocol):
    """Threads and messages, each method one transaction. Missing and forbidden: NotFound."""

    def create_thread(
        self,
        organisation: Organisation,
        *,
        user: User | None,
        agent: "Agent | None",
        title: str = "",
        parent_id: UUID | None = None,
    ) -> UUID:
        """A new thread; ``user`` None: of the organisation itself. Returns its id."""

    def find(
        self,
        thread_id: UUID,
        *,
        agent: "Agent | None",
        organisation: Organisation | None,
        user: User | None,
    ) -> ThreadInfo:
        """The thread, where ``user`` (if given) takes part and which is the organisation's."""

    def update(self, thread_id: UUID, changes: dict[str, str]) -> None:
        """Change ``title``, ``summary`` or ``status`` (TH-4). Raises InvalidInput."""

    def context(
        self,
        thread_id: UUID,
        *,
        agent: "Agent",
        options: AgentOptions,
        prompt_id: UUID | None,
        prompt: ChatMessage | None,
        messages: Sequence[ChatMessage],
        user: User | None,
    ) -> "ContextParts":
        """What the model is to know (CX-1), read before the inputs are saved."""

    def prompt_of(self, thread_id: UUID, key: UUID) -> UUID | None:
        """The prompt that an earlier run with this key has saved."""

    def begin(
        self,
        thread_id: UUID,
        *,
        agent: "Agent",
        user: User | None,
        inputs: Sequence[NewMessage],
        prompt_id: UUID | None,
        key: UUID | None,
    ) -> Begun:
        """Save the inputs and a pending answer at once (AG-5, AG-8).

        A repeated ``key`` finds its answer, when it has come to one.
        """

    def end_step(
        self,
        thread_id: UUID,
        *,
        agent: "Agent",
        prompt_id: UUID,
        pending_id: UUID,
        messages: Sequence[NewMessage],
        more: bool,
        key: UUID | None,
    ) -> tuple[list[SavedMessage], UUID | None]:
        """The pending row becomes the first message, the others follow (AG-6).

        With ``more`` a new pending row follows, whose id is returned. Raises Conflict when the
        row was failed meanwhile, because somebody asked again.
        """

    def fail(self, thread_id: UUID, pending_id: UUID, *, error: str, code: str) -> None:
        """The pending row becomes failed, unless it has ended (AG-10)."""

    def save(
        self,
        thread_id: UUID,
        messages: Sequence[NewMessage],
        *,
        agent: "Agent | None",
        user: User | None,
        prompt_id: UUID | None,
    ) -> list[SavedMessage]:
        """Save messages; one with a ``key`` that is there already is not saved again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """One use of a tool that has ended. ``offered`` None: there is no such tool."""

    call: ToolCallPart
    position: int
    offered: Offered | None
    context: ToolContext
    outcome: ToolOutcome
    started_at: datetime
    finished_at: datetime
    message_id: UUID | None = None


class Ledger(Protocol):
    """The record of what was asked and done."""

    def __call__(self, calls: Sequence[RecordedCall], uses: Sequence[ToolUse]) -> None:
        """Store them, in one transaction."""


_stores: list[ThreadStore] = []
_ledgers: list[Ledger] = []


def register_store(store: ThreadStore) -> None:
    """Have threads kept by ``store``; the last one registered counts."""
    _stores[:] = [store]


def thread_store() -> ThreadStore:
    """Raises InvalidInput where no app keeps threads."""
    if not _stores:
        raise InvalidInput("Threads are not available here.")
    return _stores[0]


def has_threads() -> bool:
    return bool(_stores)


def register_ledger(ledger: Ledger) -> None:
    """Have calls recorded by ``ledger``; the last one registered counts."""
    _ledgers[:] = [ledger]


def keep(calls: Sequence[RecordedCall], uses: Sequence[ToolUse]) -> None:
    """Record what has ended."""
    if calls or uses:
        for ledger in _ledgers:
            ledger(calls, uses)
