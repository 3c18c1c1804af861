"""Tools on lessons, with the rights of the person the agent works for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import Field

from agents_app.models import Effect
from agents_app.runtime.offers import offer_in_threads
from agents_app.tools.definitions import Arguments, NoArguments, ToolContext, ToolError, tool
from flows_app.conf import MAX_NOTES, NAME_LIMIT
from flows_app.services import lesson_tools as services
from flows_app.services import step_threads
from one_project.accounts.models import User
from one_project.common.errors import AppError


class AssignLesson(Arguments):
    flow: str = Field("", max_length=NAME_LIMIT, description="Name or id of a flow.")
    course: str = Field("", max_length=NAME_LIMIT, description="Or of a course, instead.")
    step: str = Field("", max_length=NAME_LIMIT, description="Only this step of the flow.")
    to: str = Field(
        "me", max_length=254, description="me, or somebody's e-mail address or whole name."
    )
    role: str = Field(
        "", max_length=20, description="Everybody of a role instead: member, staff, admin, owner."
    )
    team: str = Field("", max_length=NAME_LIMIT, description="Or everybody of this team.")
    due: str = Field("", max_length=10, description="YYYY-MM-DD, or empty.")
    note: str = Field("", max_length=MAX_NOTES)


def _asks(context: ToolContext, arguments: Any) -> bool:
    """Only what the person takes on themself is done without asking."""
    given = AssignLesson.model_validate(arguments)
    return bool(given.role or given.team) or not services.is_oneself(context.user, given.to)


@tool(
    name="assign_lesson",
    title="Assign a lesson",
    effect=Effect.WRITE,
    in_transaction=True,
    approval=_asks,
)
def assign_lesson(arguments: AssignLesson, context: ToolContext) -> dict[str, Any]:
    """Assign a flow, one step of it, or a course to a person, or to everybody of a role or team.
    Only staff may. Who has it already keeps it."""
    user = _person(context)
    with _told():
        return services.assign_by_name(
            context.organisation,
            user=user,
            agent=context.agent,
            key=context.key,
            **arguments.model_dump(),
        )


class UpdateProgress(Arguments):
    lesson: str = Field(
        min_length=1, max_length=NAME_LIMIT, description="The id of the lesson, or its flow's name."
    )
    step: str = Field(min_length=1, max_length=NAME_LIMIT, description="The name of the step.")
    status: Literal["In Progress", "Completed", "Blocked", "Skipped"]
    reason: str = Field(
        "", max_length=MAX_NOTES, description="Needed for Blocked, Skipped and to open again."
    )
    notes: str = Field("", max_length=MAX_NOTES)
    person: str = Field(
        "me", max_length=254, description="Whose lesson: me, an e-mail address or a whole name."
    )


@tool(
    name="update_flow_progress",
    title="Update a lesson's step",
    effect=Effect.WRITE,
    in_transaction=True,
)
def update_flow_progress(arguments: UpdateProgress, context: ToolContext) -> dict[str, Any]:
    """Set where a step of a lesson stands. You cannot complete what a person has to review."""
    user = _person(context)
    with _told():
        return services.progress_by_name(
            context.organisation,
            user=user,
            agent=context.agent,
            key=context.key,
            **arguments.model_dump(),
        )


@tool(name="list_my_lessons", title="List my lessons", effect=Effect.READ)
def list_my_lessons(arguments: NoArguments, context: ToolContext) -> dict[str, Any]:
    """List the lessons of the person you talk with: steps, where they stand, what completes them,
    what locks them, when they are due."""
    user = _person(context)
    with _told():
        return services.list_lessons(context.organisation, user=user)


class ProposeCompletion(Arguments):
    notes: str = Field(
        min_length=1, max_length=MAX_NOTES, description="What was done, in a sentence or two."
    )


@tool(
    name="propose_completion",
    title="Propose that the step is done",
    effect=Effect.WRITE,
    in_transaction=True,
    register=False,
)
def propose_completion(arguments: ProposeCompletion, context: ToolContext) -> dict[str, Any]:
    """Tell the person that you think the step this conversation is about is done. It completes
    nothing: the person looks at it and decides."""
    user = _person(context)
    with _told():
        state = step_threads.propose_completion(
            context.organisation,
            context.thread_id,
            user=user,
            agent=context.agent,
            notes=arguments.notes,
        )
    return {"proposed": True, "status": state.status, "next": "The person decides in the lesson."}


def _person(context: ToolContext) -> User:
    if context.user is None:
        raise ToolError("No person is asking; a program is.", code="no_user")
    return context.user


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be done is told to the model, which may try it another way."""
    try:
        yield
    except AppError as error:
        raise ToolError(error.user_message, code=error.code) from error


# No agent has to be granted this one: threads about a step bring it.
offer_in_threads(step_threads.KEY, propose_completion)
