"""ReAct: think, act, look at what came of it, think again. Each thought and each act is a step."""

from typing import Any

from pydantic import BaseModel, Field

from agents_app.runtime.agent import Agent, register_agent
from flows_app.steps import Asker, generate_object, object_schema, use_one_tool
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import StepUnknown

REASONER = "flows.reasoner"
MAX_ROUNDS = 8

register_agent(
    REASONER,
    Agent(
        name="Reasoner",
        description="Solves a problem step by step.",
        instructions=(
            "Solve the problem in rounds. In each say what you think, and either name one tool "
            "with its arguments or give the answer. Tools: calculator {expression}, "
            "current_time {}."
        ),
        tools=("calculator", "current_time"),
    ),
)


@object_schema
class Thought(BaseModel):
    """One round: a tool to use, or the answer."""

    thought: str
    tool: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    answer: str = ""


@workflow(name="flows.react")
async def react(ctx: WorkflowContext, asker: Asker, question: str, agent: str = REASONER) -> str:
    """The answer, after at most eight rounds; fails when there is none by then."""
    notes: list[str] = []
    for _ in range(MAX_ROUNDS):
        told = "\n".join([f"Problem: {question}", *notes])
        found = await ctx.run_step(generate_object, asker, agent, "Thought", told)
        thought = Thought.model_validate(found)
        notes.append(f"Thought: {thought.thought}")
        if not thought.tool:
            return thought.answer or thought.thought
        try:
            seen = await ctx.run_step(use_one_tool, asker, agent, thought.tool, thought.arguments)
        except StepUnknown:
            seen = "It is not known whether this took effect. Do not repeat it."
        notes.append(f"Action: {thought.tool} {thought.arguments}\nObservation: {seen}")
    raise ValueError(f"no answer after {MAX_ROUNDS} rounds")
