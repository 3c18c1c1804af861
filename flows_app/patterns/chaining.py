"""A chain: the weather, then what to wear. The second agent reads what the first one said."""

from uuid import UUID

from agents_app.runtime.agent import Agent, register_agent
from flows_app.steps import Asker, generate_text
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext

WEATHER, FASHION = "flows.weather", "flows.fashion"

register_agent(
    WEATHER,
    Agent(
        name="Weather",
        description="Tells the weather of a place.",
        instructions="You tell the weather. Look it up with your tool.",
        tools=("get_weather",),
    ),
)
register_agent(
    FASHION,
    Agent(
        name="Fashion",
        description="Says what to wear.",
        instructions="You give fashion advice. Mind the weather that was told.",
        tools=("get_context",),
    ),
)


@workflow(name="flows.get_advice")
async def get_advice(ctx: WorkflowContext, asker: Asker, location: str, thread_id: UUID) -> None:
    """Both answers are in the thread, so there is nothing to return."""
    # This uses tool calls to get the weather forecast.
    await ctx.run_step(
        generate_text, asker, WEATHER, f"What is the weather in {location}?", thread_id
    )
    # This includes previous message history from the thread, and may use tools again.
    await ctx.run_step(
        generate_text, asker, FASHION, "What should I wear based on the weather?", thread_id
    )
