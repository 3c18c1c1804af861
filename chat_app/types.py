"""Plain values of conversations."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from agents_app.models import Agent
    from agents_app.providers.parts import Part
    from one_project.accounts.models import User


@dataclass(slots=True, kw_only=True)
class MessageDraft:
    """A message before it has a place. ``parts`` are our own parts, never a provider's JSON."""

    kind: str
    parts: "list[Part]" = field(default_factory=list)
    status: str = "success"
    author: "User | None" = None
    agent: "Agent | None" = None
    model: str = ""
    provider: str = ""
    finish_reason: str = ""
    usage: dict[str, Any] | None = None
    provider_options: dict[str, Any] | None = None
    provider_metadata: dict[str, Any] | None = None
    sources: list[Any] = field(default_factory=list)
    warnings: list[Any] = field(default_factory=list)
    client_key: UUID | None = None
    turn_id: UUID | None = None
    author_name: str = ""


@dataclass(frozen=True, slots=True)
class ContextMessage:
    """What get_thread_context gives: ``role`` as models know it, text, and when (UTC, ISO 8601)."""

    role: str
    content: str
    timestamp: str
