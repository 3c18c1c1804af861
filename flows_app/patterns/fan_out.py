"""Fan-out and combine: several agents answer at the same time, one makes a whole of it."""

from agents_app.runtime.agent import Agent, register_agent
from flows_app.steps import Answer, Asker, generate_text
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import StepError

COMBINER = "flows.combiner"

register_agent(
    COMBINER,
    Agent(
        name="Combiner",
        description="Makes one answer of several.",
        instructions="Make one answer of these. Say where they disagree.",
    ),
)


@workflow(name="flows.fan_out")
async def fan_out(ctx: WorkflowContext, asker: Asker, question: str, agents: list[str]) -> str:
    """One answer of all who could answer; fails when nobody could."""

    async def opinion(agent: str) -> str:
        try:
            answer: Answer = await ctx.run_step(generate_text, asker, agent, question)
        except StepError:
            return ""  # one who fails does not spoil the rest
        return answer.text

    opinions = [text for text in await ctx.gather(*(opinion(each) for each in agents)) if text]
    if not opinions:
        raise ValueError("nobody could answer")
    told = "\n\n".join(f"Answer {n}: {text}" for n, text in enumerate(opinions, 1))
    combined: Answer = await ctx.run_step(
        generate_text, asker, COMBINER, f"Question: {question}\n\n{told}"
    )
    return combined.text
