"""Tools that bring people in."""

from pydantic import Field

from agents_app.models import Effect
from agents_app.tools.definitions import Arguments, ToolContext, ToolError, Waiting, tool
from chat_app.models import Thread
from chat_app.services.escalations import escalate
from chat_app.services.tasks import create_task as create
from one_project.common.errors import AppError


class CallHuman(Arguments):
    reason: str = Field(min_length=1, max_length=500, description="Why a person is needed.")


@tool(name="call_human", title="Call a person", effect=Effect.WRITE, in_transaction=True)
def call_human(arguments: CallHuman, context: ToolContext) -> dict[str, str]:
    """Hand the conversation over to a person of the organisation's staff. Use it when you cannot
    help, when you are asked for a person, or when a decision needs one. Then tell the person in
    the thread that somebody will take over, and stop."""
    thread = _thread(context)
    made = escalate(thread, reason=arguments.reason, agent=context.agent, user=context.user)
    return {"escalation_id": str(made.pk), "status": made.status}


class AskHuman(Arguments):
    question: str = Field(min_length=1, max_length=2000, description="What you need to know.")


@tool(name="ask_human", title="Ask the person", effect=Effect.WRITE, in_transaction=True)
def ask_human(arguments: AskHuman, context: ToolContext) -> Waiting:
    """Ask the person in the thread one question and wait for the answer, which is the result."""
    _thread(context)
    return Waiting()


class CreateTask(Arguments):
    title: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=10_000)
    priority: str = Field("medium", pattern="^(low|medium|high)$", description="low, medium, high")


@tool(name="create_task", title="Create a task", effect=Effect.WRITE, in_transaction=True)
def create_task(arguments: CreateTask, context: ToolContext) -> dict[str, str]:
    """Write down a task for the person you talk with; it shows in their inbox until done."""
    if context.user is None:
        raise ToolError("There is no person to give a task to.")
    try:
        task = create(
            context.organisation,
            user=context.user,
            title=arguments.title,
            description=arguments.description,
            priority=arguments.priority,
            thread_id=context.thread_id,
            agent=context.agent,
        )
    except AppError as error:
        raise ToolError(error.user_message, code=error.code) from error
    return {"task_id": str(task.pk), "title": task.title, "priority": task.priority}


def _thread(context: ToolContext) -> Thread:
    thread = (
        Thread.objects.filter(pk=context.thread_id, organisation=context.organisation).first()
        if context.thread_id
        else None
    )
    if thread is None:
        raise ToolError("This tool works in a thread only.")
    return thread
