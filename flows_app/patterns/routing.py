"""Routing: a cheap model, or the likeness of descriptions, decides which agent answers."""

from typing import Literal
from uuid import UUID

from flows_app.steps import Answer, Asker, choose_agent, generate_text
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext


@workflow(name="flows.route")
async def route(
    ctx: WorkflowContext,
    asker: Asker,
    question: str,
    agents: list[str],
    by: Literal["model", "similarity"] = "model",
    thread_id: UUID | None = None,
) -> Answer:
    """The answer of whichever of ``agents`` fits; in the thread, where one is given."""
    chosen = await ctx.run_step(choose_agent, asker, question, agents, by)
    answer: Answer = await ctx.run_step(generate_text, asker, chosen, question, thread_id)
    return answer
