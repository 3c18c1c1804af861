"""A request for support: answered with tools, put in order as an object, told to the person."""

from pydantic import BaseModel, Field

from agents_app.runtime.agent import Agent, register_agent
from agents_app.types import AgentOptions
from flows_app.steps import (
    Asker,
    create_thread,
    generate_object,
    generate_text,
    object_schema,
    save_message,
)
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext

SUPPORT = "flows.support"

register_agent(
    SUPPORT,
    Agent(
        name="Support",
        description="Helps with questions about what we offer.",
        instructions="You help people. Look things up before you answer, and be short.",
        tools=("search_knowledge",),
        options=AgentOptions.model_construct(None, max_steps=10),
    ),
)


@object_schema
class SupportSuggestion(BaseModel):
    """What the person is told in the end."""

    analysis: str = Field(description="A detailed analysis of the user's request.")
    suggestion: str = Field(description="A suggested action to take.")


@workflow(name="flows.support_agent_workflow")
async def support_agent_workflow(ctx: WorkflowContext, asker: Asker, prompt: str) -> str:
    """Answer in a new thread, then tell the person what to do."""
    thread_id = await ctx.run_step(create_thread, asker, SUPPORT, "Support Request")
    answer = await ctx.run_step(generate_text, asker, SUPPORT, prompt, thread_id)
    found = await ctx.run_step(
        generate_object, asker, SUPPORT, "SupportSuggestion", prompt=answer.text
    )
    suggestion = str(found["suggestion"])
    await ctx.run_step(save_message, asker, thread_id, suggestion, "assistant", SUPPORT)
    return suggestion
