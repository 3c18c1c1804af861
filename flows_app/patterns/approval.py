"""A pause for a person: a draft waits for a decision, for minutes or for weeks."""

from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel

from agents_app.runtime.agent import Agent, register_agent
from flows_app.steps import Answer, Asker, generate_text, save_message
from one_project.workflows.definitions import workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import WaitTimeout

WRITER = "flows.writer"
DECISION = "decision"
MAX_DRAFTS = 5

register_agent(
    WRITER,
    Agent(
        name="Writer",
        description="Writes texts and changes them as people wish.",
        instructions="Write what is asked for. When told what is wrong, write it anew.",
    ),
)


class Decision(BaseModel):
    """What the person says: send it, or write it anew because of ``reason``."""

    approved: bool
    reason: str = ""


@workflow(name="flows.write_with_approval", retention_days=90)
async def write_with_approval(
    ctx: WorkflowContext, asker: Asker, thread_id: UUID, task: str, days: float = 30
) -> str:
    """The approved text. ``send_event(run, "decision", {"approved": true})`` goes on.

    While it waits it is a row and nothing else. Fails after ``days`` without a decision, and
    after five drafts.
    """
    prompt = task
    for _ in range(MAX_DRAFTS):
        draft: Answer = await ctx.run_step(generate_text, asker, WRITER, prompt, thread_id)
        try:
            decision = await ctx.wait_event(DECISION, Decision, timeout=timedelta(days=days))
        except WaitTimeout:
            await ctx.run_step(
                save_message, asker, thread_id, "Nobody has decided in time.", "system"
            )
            raise
        if decision.approved:
            return draft.text
        prompt = f"Please write it anew: {decision.reason or 'it is not right yet'}"
    raise ValueError(f"not approved after {MAX_DRAFTS} drafts")
