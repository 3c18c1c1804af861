"""What agents do, as durable steps: called with ids and JSON, journalled, repeated without harm.

``create_thread`` and ``save_message`` are transactions: exactly once. ``generate_text`` and
``generate_object`` are actions that are repeated after a failure or a crash; what they save carries
the key of the step, so a repeated one finds its prompt, goes on after the tools that have been
used, and gives the stored answer when there is one already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from uuid import UUID

from django.utils import timezone
from pydantic import BaseModel

from agents_app.errors import AgentNotFound
from agents_app.models import Agent as AgentRow
from agents_app.models import CallStatus
from agents_app.providers.errors import ModelError
from agents_app.providers.parts import TextPart, ToolCallPart
from agents_app.runtime.agent import Agent, agent_of, registered_agents
from agents_app.runtime.offers import offers
from agents_app.runtime.routing import choose_by_model, choose_by_similarity
from agents_app.runtime.store import NewMessage, ToolUse, keep, thread_store
from agents_app.runtime.tool_use import read_arguments, use_tool
from agents_app.tools.catalogue import must_ask
from agents_app.tools.definitions import ToolContext
from agents_app.types import read_options
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, User
from one_project.common.database import in_thread
from one_project.common.errors import AppError, InvalidInput, NotFound
from one_project.common.ids import parse_id
from one_project.workflows.current import current_work
from one_project.workflows.definitions import declare_pool, step
from one_project.workflows.errors import NonRetryable
from one_project.workflows.types import Retry

# Models are waited for most of the time.
POOL = declare_pool("agents", 100)
RETRY = Retry(attempts=4, initial=1.0)
TIMEOUT = 900.0

M = TypeVar("M", bound=type[BaseModel])
_schemas: dict[str, type[BaseModel]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """For whom a workflow works. Without a person: for the organisation itself."""

    organisation_id: UUID
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an agent said, and where it is kept (None: nowhere)."""

    text: str
    finish_reason: str
    prompt_message_id: UUID | None = None
    order: int | None = None
    tokens: int = 0


def object_schema(model: M) -> M:
    """Make a pydantic model known by its name, for ``generate_object``. Raises TypeError."""
    known = _schemas.get(model.__name__)
    if known is not None and known.__module__ != model.__module__:
        raise TypeError(f"two schemas are called {model.__name__}")
    _schemas[model.__name__] = model
    return model


@step(name="flows.create_thread", kind="transaction")
def create_thread(asker: Asker, agent: str = "", title: str = "") -> UUID:
    """A new thread of the person (or of the organisation); its id."""
    organisation, user = _who(asker)
    answers = find_agent(agent, organisation, user) if agent else None
    return thread_store().create_thread(organisation, user=user, agent=answers, title=title)


@step(name="flows.save_message", kind="transaction")
def save_message(
    asker: Asker,
    thread_id: UUID,
    text: str,
    role: Literal["user", "assistant", "system"] = "user",
    agent: str = "",
) -> UUID:
    """Save a message without asking anybody (HU-11); its id, for ``prompt_message_id``."""
    organisation, user = _who(asker)
    speaks = find_agent(agent, organisation, user) if agent else None
    store = thread_store()
    store.find(thread_id, agent=speaks, organisation=organisation, user=user)
    message = NewMessage(role=role, parts=(TextPart(text),))
    [saved] = store.save(thread_id, [message], agent=speaks, user=user, prompt_id=None)
    return saved.id


@step(name="flows.generate_text", pool=POOL, retry=RETRY, timeout=TIMEOUT)
async def generate_text(
    asker: Asker,
    agent: str,
    prompt: str = "",
    thread_id: UUID | None = None,
    prompt_message_id: UUID | None = None,
    options: dict[str, Any] | None = None,
) -> Answer:
    """Have an agent answer, with its tools; in a thread, or without one nothing is kept.

    ``agent``: the id of a row, or the code name of an agent in Python. ``options``: AgentOptions.
    """
    organisation, user, answers = await in_thread(_look_up, asker, agent)
    try:
        result = await answers.generate_text(
            prompt=prompt,
            thread_id=thread_id,
            prompt_message_id=prompt_message_id,
            organisation=organisation,
            user=user,
            options=read_options(options),
            key=current_work().idempotency_key,
        )
    except (ModelError, AppError) as error:
        raise _lasting(error) from error
    return Answer(
        text=result.text,
        finish_reason=result.finish_reason,
        prompt_message_id=result.prompt_message_id,
        order=result.order,
        tokens=result.usage.total_tokens,
    )


@step(name="flows.generate_object", pool=POOL, retry=RETRY, timeout=TIMEOUT)
async def generate_object(
    asker: Asker,
    agent: str,
    schema: str,
    prompt: str = "",
    thread_id: UUID | None = None,
    prompt_message_id: UUID | None = None,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Have an agent make an object of ``schema`` (see ``object_schema``); as JSON values."""
    if schema not in _schemas:
        raise NonRetryable(f"No schema is registered as {schema}.")
    organisation, user, answers = await in_thread(_look_up, asker, agent)
    try:
        result = await answers.generate_object(
            _schemas[schema],
            prompt=prompt,
            thread_id=thread_id,
            prompt_message_id=prompt_message_id,
            organisation=organisation,
            user=user,
            options=read_options(options),
            key=current_work().idempotency_key,
        )
    except (ModelError, AppError) as error:
        raise _lasting(error) from error
    return result.object.model_dump(mode="json")


@step(name="flows.choose_agent", pool=POOL, retry=RETRY, timeout=TIMEOUT)
async def choose_agent(
    asker: Asker,
    question: str,
    agents: list[str],
    by: Literal["model", "similarity"] = "model",
    model: str = "",
) -> str:
    """Which of ``agents`` answers the question (HU-10): one of the names given."""
    organisation, user = await in_thread(_who, asker)
    known = [await in_thread(find_agent, name, organisation, user) for name in agents]
    try:
        if by == "similarity":
            chosen = await choose_by_similarity(
                question, known, organisation=organisation, user=user
            )
        else:
            chosen = await choose_by_model(
                model or None, question, known, organisation=organisation, user=user
            )
    except (ModelError, AppError) as error:
        raise _lasting(error) from error
    return agents[known.index(chosen)]


@step(name="flows.use_tool", pool=POOL, retry=False, timeout=TIMEOUT)
async def use_one_tool(asker: Asker, agent: str, tool: str, arguments: dict[str, Any]) -> str:
    """Use one of an agent's tools; what a model would be told, errors included.

    Begun at most once. What a person would have to approve is not done.
    """
    organisation, user, owner = await in_thread(_look_up, asker, agent)
    offered = (await in_thread(offers, owner, organisation, user)).get(tool)
    if offered is None:
        return f"Error: There is no tool {tool!r} here."
    if problem := read_arguments(offered.definition, arguments):
        return f"Error: {problem}"
    context = ToolContext(
        organisation=organisation,
        user=user,
        agent=owner.row,
        key=current_work().idempotency_key,
        custom=owner.options.custom or {},
        config=offered.definition.config,
    )
    setting = (owner.options.approvals or {}).get(tool, "")
    if await in_thread(must_ask, offered, context, arguments, setting):
        return "Error: This needs a person's approval."
    began = timezone.now()
    outcome = await use_tool(offered.definition, context, arguments)
    use = ToolUse(
        call=ToolCallPart(str(context.key), tool, arguments),
        position=0,
        offered=offered,
        context=context,
        outcome=outcome,
        started_at=began,
        finished_at=timezone.now(),
    )
    await in_thread(keep, [], [use])
    return (
        "Error: The answer comes later." if outcome.status == CallStatus.WAITING else outcome.told
    )


def find_agent(agent: str, organisation: Organisation, user: User | None = None) -> Agent:
    """By a row's id, or by code name: the organisation's row for it, or the one in Python.

    Raises AgentNotFound, also where ``user``, for whom the workflow works, may not use it.
    """
    rows = AgentRow.objects.active().filter(organisation=organisation)
    if user is not None:
        rows = AgentRow.objects.usable_by(user, organisation)
    wanted = parse_id(agent)
    row = rows.filter(pk=wanted).first() if wanted else rows.filter(code_name=agent).first()
    if row is not None:
        return agent_of(row)
    found = registered_agents().get(agent)
    if found is None:
        raise AgentNotFound
    return found


def names_of(agents: Sequence[str]) -> str:
    """For prompts that tell of others: ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(agents[:-1]), *agents[-1:]]))


def _who(asker: Asker) -> tuple[Organisation, User | None]:
    """Raises NotFound for a person who does not belong to the organisation any more."""
    organisation = Organisation.objects.filter(pk=asker.organisation_id).first()
    if organisation is None:
        raise NotFound
    if asker.user_id is None:
        return organisation, None
    user = User.objects.filter(pk=asker.user_id).first()
    if user is None:
        raise NotFound
    access_membership(user, organisation)
    return organisation, user


def _look_up(asker: Asker, agent: str) -> tuple[Organisation, User | None, Agent]:
    organisation, user = _who(asker)
    return organisation, user, find_agent(agent, organisation, user)


def _lasting(error: ModelError | AppError) -> Exception:
    """What would fail again is not tried again."""
    if error.retryable:
        return error
    if isinstance(error, InvalidInput | NotFound):
        return NonRetryable(error.user_message)
    return NonRetryable(str(error))
