"""Opening a call of an agent by a program: everything looked up, the inputs saved.

The loops over what is opened are in ``loop`` (text and tools) and ``objects`` (one object).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

from agents_app.providers.base import ChatModel
from agents_app.providers.parts import ChatMessage
from agents_app.providers.registry import resolve_chat_model
from agents_app.runtime.agent import Agent, ContextParts
from agents_app.runtime.context import assemble, without_orphans
from agents_app.runtime.knowing import know_vector
from agents_app.runtime.offers import DELEGATE, offers
from agents_app.runtime.run import Run
from agents_app.runtime.speaking import as_message
from agents_app.runtime.store import (
    NewMessage,
    thread_store,
)
from agents_app.runtime.telling import tell_usage
from agents_app.tools.catalogue import Offered
from agents_app.tools.definitions import ToolDefinition
from agents_app.types import AgentOptions
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, User
from one_project.common.database import in_thread
from one_project.common.errors import InvalidInput

if TYPE_CHECKING:
    from agents_app.runtime.speaking import CallArguments


async def open_run(agent: Agent, call: "CallArguments") -> Run:
    """Look everything up, save the inputs and the pending answer.

    Raises InvalidInput where nothing is asked, NotFound for what is not the asker's.
    """
    prompt, messages = as_message(call.get("prompt")), list(call.get("messages", ()))
    stored = call.get("prompt_message_id") is not None
    if prompt is None and not messages and not stored:
        raise InvalidInput("Nothing is asked: give a prompt, messages or a prompt_message_id.")
    if stored and call.get("thread_id") is None:
        raise InvalidInput("A prompt_message_id needs the thread it is in.")
    run = await in_thread(_look_up, agent, call)
    parts = await _context(run, prompt, messages)
    handler = call.get("context_handler", agent.context_handler)
    run.messages = without_orphans(assemble(parts, handler))
    run.pinned = (*parts.input_prompt, *parts.existing_responses)
    if run.thread is not None and run.options.storage != "none":
        await _begin(run, prompt, messages)
    return run


def _look_up(agent: Agent, call: "CallArguments") -> Run:
    organisation, user = call.get("organisation"), call.get("user")
    thread = None
    if (thread_id := call.get("thread_id")) is not None:
        thread = thread_store().find(thread_id, agent=agent, organisation=organisation, user=user)
        organisation, user = thread.organisation, user or thread.user
    elif organisation is not None and user is not None:
        access_membership(user, organisation)
    prompt_id, key = call.get("prompt_message_id"), call.get("key")
    if thread is not None and prompt_id is None and key is not None:
        prompt_id = thread_store().prompt_of(thread.id, key)
    options = call.get("options", AgentOptions.model_construct()).over(
        thread.options if thread else agent_options(agent)
    )
    tools = call.get("tools", options.tools)
    return Run(
        agent=agent,
        call=call,
        options=options,
        model=_model(options.model),
        thread=thread,
        organisation=organisation,
        user=user,
        tools=_tools(agent, organisation, user, tools),
        messages=[],
        prompt_id=prompt_id,
    )


def _tools(
    agent: Agent,
    organisation: Organisation | None,
    user: User | None,
    tools: "Sequence[ToolDefinition | str] | None",
) -> dict[str, Offered]:
    """Without delegation, whose answer comes to a turn only: ``as_tool`` stands for it here."""
    found = offers(agent, organisation or Organisation(), user, tools)
    return {name: offered for name, offered in found.items() if name != DELEGATE}


def agent_options(agent: Agent) -> AgentOptions:
    """The agent's options, its model and instructions among them."""
    told = {"model": agent.model, "instructions": agent.instructions}
    said = {name: value for name, value in told.items() if value}
    return agent.options.over(AgentOptions.model_construct(None, **said))


def _model(name: str | None) -> ChatModel:
    try:
        return resolve_chat_model(name)
    except ImproperlyConfigured as error:
        raise InvalidInput("No model is set up.", detail=str(error)) from error


async def _context(
    run: Run, prompt: ChatMessage | None, messages: Sequence[ChatMessage]
) -> ContextParts:
    if run.thread is None:
        told = run.options.instructions
        return ContextParts(
            system=(ChatMessage.text("system", told),) if told else (),
            input_messages=tuple(messages),
            input_prompt=(prompt,) if prompt else (),
            user_id=run.user.pk if run.user else None,
        )
    searched = await know_vector(run.caller(), run.options, prompt)
    await tell_usage(searched, run.usage_handler)
    return await in_thread(
        thread_store().context,
        run.thread.id,
        agent=run.agent,
        options=run.options,
        prompt_id=run.prompt_id,
        prompt=prompt,
        messages=messages,
        user=run.user,
    )


async def _begin(run: Run, prompt: ChatMessage | None, messages: Sequence[ChatMessage]) -> None:
    assert run.thread is not None
    inputs = _to_save(run, prompt, messages)
    run.begun = await in_thread(
        thread_store().begin,
        run.thread.id,
        agent=run.agent,
        user=run.user,
        inputs=inputs,
        prompt_id=run.prompt_id,
        key=run.call.get("key"),
    )
    run.saved += run.begun.saved
    run.prompt_id = run.begun.prompt.id
    run.pending_id = run.begun.pending.id if run.begun.pending else None


def _to_save(
    run: Run, prompt: ChatMessage | None, messages: Sequence[ChatMessage]
) -> list[NewMessage]:
    """The inputs that are kept (AG-7); with a stored prompt none (AG-8)."""
    if run.prompt_id is not None:
        return []
    given = [*messages, prompt] if prompt else list(messages)
    kept = given if run.options.storage == "all" else given[-1:]
    asked = run.options.provider_options
    return [
        NewMessage(
            role=message.role,
            parts=message.parts,
            provider_options=asked if message is given[-1] else None,
        )
        for message in kept
    ]
