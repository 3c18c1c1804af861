"""An agent as a tool of another one: each use is a thread of its own, below the asking one."""

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from agents_app.models import Effect
from agents_app.runtime.store import has_threads, thread_store
from agents_app.tools.definitions import (
    NAME,
    Arguments,
    ToolContext,
    ToolDefinition,
    ToolError,
    schema_of,
)
from one_project.common.database import in_thread

if TYPE_CHECKING:
    from uuid import UUID

    from agents_app.runtime.agent import Agent

# Agents that ask agents that ask agents: deeper than this is no work any more.
MAX_DEPTH = 3
DEPTH = "agents_above"
TIMEOUT = 300.0


def tool_of(
    agent: "Agent", name: str, description: str, argument: str, *, timeout: float = TIMEOUT
) -> ToolDefinition:
    """See ``Agent.as_tool``. Raises TypeError for what is no name."""
    if not NAME.match(name):
        raise TypeError(f"{name!r} is no name for a tool: letters, digits, _ and -, 64 at most")
    told = Field(min_length=1, description=f"What {agent.name} is asked, with all it needs to know")
    fields: dict[str, Any] = {argument: (str, told)}
    model = create_model("Question", __base__=Arguments, **fields)

    async def run(context: ToolContext, arguments: dict[str, Any]) -> str:
        depth = int(context.custom.get(DEPTH, 0)) + 1
        thread_id = await in_thread(_open, agent, context, depth)
        answer = await agent.generate_text(
            prompt=str(arguments[argument]),
            thread_id=thread_id,
            organisation=None if context.organisation._state.adding else context.organisation,
            user=context.user,
            custom={**context.custom, DEPTH: depth},
        )
        return answer.text

    return ToolDefinition(
        name=name,
        description=description,
        parameters=schema_of(model),
        run=run,
        is_async=True,
        effect=Effect.WRITE,
        timeout=timeout,
        check=model.model_validate,
        title=name.replace("_", " ").capitalize(),
    )


def _open(agent: "Agent", context: ToolContext, depth: int) -> "UUID | None":
    if depth > MAX_DEPTH:
        raise ToolError("Too many agents have asked one another; answer yourself.", code="too_deep")
    if not has_threads() or context.organisation._state.adding:
        return None
    return thread_store().create_thread(
        context.organisation,
        user=context.user,
        agent=agent,
        title=agent.name,
        parent_id=context.thread_id,
    )
