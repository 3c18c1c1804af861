"""An agent as it is stored, read for its form."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from agents_app.models import Agent
from agents_app.types import ContextOptions, read_options

DEFAULT_RECENT = ContextOptions.model_fields["recent_messages"].default


def stored_options(agent: Agent | None) -> dict[str, Any]:
    """What is stored; options that cannot be read (typed by hand elsewhere) count as none."""
    if agent is None or not isinstance(agent.options, Mapping):
        return {}
    try:
        return read_options(agent.options).model_dump(exclude_unset=True, exclude_none=True)
    except ValidationError:
        return {}


def initial_values(agent: Agent | None, stored: dict[str, Any]) -> dict[str, Any]:
    """What the form of ``agent`` shows at first, by field."""
    context = stored.get("context") or {}
    values: dict[str, Any] = {
        **{name: stored[name] for name in stored.keys() - {"model", "tools", "context"}},
        "recent_messages": context.get("recent_messages", DEFAULT_RECENT),
        "include_tool_messages": not context.get("exclude_tool_messages", True),
    }
    if agent is not None:
        names = (
            "name", "description", "avatar", "tags", "starters", "kind", "prompt", "model",
            "knowledge",
        )  # fmt: skip
        values |= {name: getattr(agent, name) for name in names}
        values["tools"] = list(agent.tools)
    return values
