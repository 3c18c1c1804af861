"""Plain values of agents: the options that come from an agent, a thread and a call."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_MAX_STEPS = 5
MAX_STEPS = 50


class SearchOptions(BaseModel):
    """Search hits in the context (CX-4 to CX-7); off unless one of the searches is on."""

    model_config = ConfigDict(extra="forbid")
    limit: int = Field(10, ge=0, le=100)
    text_search: bool = False
    vector_search: bool = False
    vector_score_threshold: float = 0.0
    message_range_before: int = Field(2, ge=0, le=20)
    message_range_after: int = Field(1, ge=0, le=20)

    @property
    def is_on(self) -> bool:
        return self.limit > 0 and (self.text_search or self.vector_search)


class ContextOptions(BaseModel):
    """What of a thread the model is given (CX-1 to CX-7)."""

    model_config = ConfigDict(extra="forbid")
    recent_messages: int = Field(100, ge=0, le=1000)
    exclude_tool_messages: bool = True
    search_options: SearchOptions = Field(default_factory=SearchOptions)  # type: ignore[arg-type]
    search_other_threads: bool = False


class AgentOptions(BaseModel):
    """Options of an agent, a thread or a call; what is None is as the level below says.

    max_steps: model calls of one answer (1: no loop). stop_when: names of tools whose success ends
    the answer. retries: how often a model that fails for a moment is asked again. approvals: by
    tool name, ``always`` or ``never``. tools: replaces the agent's allow-list (AG-2). custom:
    fields that tools find in their context.
    """

    model_config = ConfigDict(extra="forbid")
    model: str | None = None
    instructions: str | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    retries: int | None = Field(None, ge=0, le=10)
    provider_options: dict[str, Any] | None = None
    max_steps: int | None = Field(None, ge=1, le=MAX_STEPS)
    stop_when: list[str] | None = None
    tools: list[str] | None = None
    tool_choice: str | None = None
    approvals: dict[str, Literal["always", "never"]] | None = None
    context: ContextOptions | None = None
    storage: Literal["all", "none", "prompt_and_output"] | None = None
    custom: dict[str, Any] | None = None

    def over(self, below: "AgentOptions") -> "AgentOptions":
        """These options where they say something, ``below`` elsewhere. Nothing is merged."""
        values = {**_said(below), **_said(self)}
        return AgentOptions.model_construct(**values)


def _said(options: AgentOptions) -> dict[str, Any]:
    return {
        name: getattr(options, name)
        for name in AgentOptions.model_fields
        if getattr(options, name, None) is not None
    }


def read_options(data: Mapping[str, Any] | None = None) -> AgentOptions:
    """Stored options as a value. Raises pydantic's ValidationError for what is none."""
    return AgentOptions.model_validate(dict(data or {}))
