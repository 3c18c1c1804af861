"""A step that an agent does: begun, asked once, its draft kept; whatever happens to the worker.

Each part is done once or finds what it has done: the thread and the draft are written in the
transactions of their steps, and a repeated ``generate_text`` gives the answer that is stored.
"""

from typing import Any
from uuid import UUID

from flows_app.services import agent_steps
from flows_app.services.agent_steps import WORKFLOW, Task
from flows_app.steps import Answer, Asker, generate_text
from one_project.common.errors import InvalidInput
from one_project.workflows.definitions import step, workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import NonRetryable


@step(name="flows.begin_agent_task", kind="transaction")
def begin_task(submission_id: UUID) -> Task | None:
    """See ``agent_steps.begin_task``."""
    return agent_steps.begin_task(submission_id)


@step(name="flows.keep_agent_draft", kind="transaction")
def keep_draft(submission_id: UUID, text: str) -> bool:
    """See ``agent_steps.keep_draft``."""
    try:
        return agent_steps.keep_draft(submission_id, text)
    except InvalidInput as error:
        raise NonRetryable(error.user_message) from error


@workflow(name=WORKFLOW)
async def do_agent_task(ctx: WorkflowContext, submission_id: UUID) -> str:
    """How it ended: ``drafted``, or ``overtaken`` where nobody wants it any more."""
    task: Task | None = await ctx.run_step(begin_task, submission_id)
    if task is None:
        return "overtaken"
    asker = Asker(organisation_id=task.organisation_id)
    told: dict[str, Any] = {"prompt": task.prompt, "thread_id": task.thread_id}
    answer: Answer = await ctx.run_step(generate_text, asker, str(task.agent_id), **told)
    kept: bool = await ctx.run_step(keep_draft, submission_id, answer.text)
    return "drafted" if kept else "overtaken"
