"""What a model would be asked in a trial, built as for a turn; nothing is stored by it.

A trial never has an effect: its tools may read, all others are not executed and say so to the
model. Tools run with the rights of the person who tries, never with those of the thread's people.
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from agents_app.models import Approval, Effect, Purpose
from agents_app.providers.base import ChatMessage, ChatRequest
from agents_app.runtime.agent import Agent, ContextParts
from agents_app.runtime.speaking import CallArguments
from agents_app.runtime.tokens import count_message, count_request, count_tools
from agents_app.tools.catalogue import Offered, must_ask
from agents_app.tools.definitions import ToolContext, ToolDefinition, ToolError
from agents_app.types import AgentOptions, ContextOptions, read_options
from chat_app.models import Thread, Turn
from chat_app.runtime.context import budget, build_context, context_options, fitting, model_name
from chat_app.runtime.options import options_of, tool_choice, tools_of
from one_project.accounts.models import Organisation, User
from one_project.common.database import in_thread

NOT_DONE = (
    "This is a trial run, so this tool was not executed: it would change something. "
    "Nothing has happened. Say what you would have done."
)
NOT_ASKED = "This is a trial run, so nobody can be asked for approval: the tool was not executed."
NOT_YOURS = "This is a trial run by somebody who may not use this tool: it was not executed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Who is asked what, and for whom. ``options`` are those of the call.

    ``turn``: the past turn that is run again; ``prompt`` stands in its question's place.
    """

    organisation: Organisation
    user: User
    agent: Agent
    prompt: str = ""
    options: AgentOptions
    thread: Thread | None = None
    turn: Turn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The first request of the answer, and what to call the agent with."""

    question: Question
    options: AgentOptions
    request: ChatRequest
    tools: tuple[ToolDefinition, ...]

    @property
    def agent(self) -> Agent:
        """The agent without what the request has already, and without its handlers' effects."""
        return replace(
            self.question.agent,
            instructions="",
            options=read_options(),
            tools=(),
            context_handler=None,
            usage_handler=None,
            raw_handler=None,
        )

    def call(self, noted_as: UUID) -> CallArguments:
        """Arguments of ``agent.generate_text``; the ledger notes its calls under ``noted_as``."""
        thread = self.question.thread
        own = AgentOptions.model_construct(None, instructions="", approvals={}, storage="none")
        return {
            "organisation": self.question.organisation,
            "user": self.question.user,
            "messages": self.request.messages[:-1],
            "prompt": self.request.messages[-1],
            "options": own.over(self.options),
            "tools": self.tools,
            "purpose": Purpose.PLAYGROUND,
            "about_thread_id": thread.pk if thread else None,
            "about_message_id": noted_as,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A request with its tokens: of each message, of the tools, and of all."""

    model: str
    request: ChatRequest
    messages: list[tuple[ChatMessage, int]]
    tool_tokens: int
    tokens: int
    room: int


def prepare(question: Question) -> Prepared:
    """Build the request as a turn would. Raises nothing that is not a mistake of ours."""
    agent, options = question.agent, call_options(question)
    offered = tools_of(agent, options, question.organisation, _whose(question))
    own = offered
    if offered and _whose(question) != question.user:
        own = tools_of(agent, options, question.organisation, question.user)
    specs = tuple(each.definition.spec for each in offered.values())
    room = budget(options) - count_tools(specs, model_name(options))
    messages = fitting(_parts(question, options), agent, options, room)
    request = ChatRequest(
        messages=tuple(messages),
        tools=specs,
        tool_choice=tool_choice(options, 1) if specs else None,
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        provider_options=options.provider_options or {},
        user=str(question.user.pk),
    )
    settings = options.approvals or {}
    tools = tuple(
        _harmless(each, settings.get(name, ""), usable=name in own)
        for name, each in offered.items()
    )
    return Prepared(question=question, options=options, request=request, tools=tools)


def preview(question: Question) -> Preview:
    """Exactly what the model would get first, counted."""
    prepared = prepare(question)
    model = model_name(prepared.options)
    request = prepared.request
    return Preview(
        model=model,
        request=request,
        messages=[(message, count_message(message, model)) for message in request.messages],
        tool_tokens=count_tools(request.tools, model),
        tokens=count_request(request, model),
        room=budget(prepared.options),
    )


def call_options(question: Question) -> AgentOptions:
    """Those of the call over those of the past turn, of the thread and of the agent."""
    told = question.options
    if question.turn is not None:
        told = told.over(_stored(question.turn))
    return options_of(question.agent, question.thread, told)


def shown_context(options: AgentOptions) -> ContextOptions:
    """The context options that hold when nothing is said in a call."""
    return context_options(options)


def _stored(turn: Turn) -> AgentOptions:
    try:
        return read_options(turn.options)
    except ValidationError:
        return read_options()


def _whose(question: Question) -> User:
    """In whose place is asked: they say which tools are offered and fill the variables."""
    asker = question.turn.requested_by if question.turn else None
    owner = question.thread.created_by if question.thread else None
    return asker or owner or question.user


def _parts(question: Question, options: AgentOptions) -> ContextParts:
    if question.thread is None:
        # A conversation of its own, of which nothing has been said yet.
        nothing = ContextOptions(recent_messages=0)
        alone = AgentOptions.model_construct(None, context=nothing).over(options)
        thread = Thread(organisation=question.organisation)
        return build_context(
            thread,
            agent=question.agent,
            options=alone,
            prompt=question.prompt,
            user=question.user,
        )
    thread, turn = question.thread, question.turn
    if turn is None:
        return build_context(
            thread,
            agent=question.agent,
            options=options,
            prompt=question.prompt,
            user=_whose(question),
        )
    if thread.summary_order >= turn.prompt.order:
        # It tells of what was said after the question.
        thread.summary = ""
    parts = build_context(
        thread,
        agent=question.agent,
        options=options,
        prompt=turn.prompt,
        prompt_text=question.prompt if question.prompt != turn.prompt.text else None,
        user=_whose(question),
    )
    # The answers there are would be given away.
    return replace(parts, existing_responses=())


def _harmless(offered: Offered, setting: str, *, usable: bool) -> ToolDefinition:
    """The tool as a trial has it: what reads is called, of all else the model is told."""
    base = offered.definition

    async def run(context: ToolContext, arguments: dict[str, Any]) -> Any:
        if base.effect != Effect.READ or base.in_transaction:
            raise ToolError(NOT_DONE, code="trial_run")
        if not usable:
            raise ToolError(NOT_YOURS, code="trial_run")
        if await in_thread(must_ask, offered, context, arguments, setting):
            raise ToolError(NOT_ASKED, code="trial_run")
        if base.is_async:
            return await base.run(context, arguments)
        return await in_thread(base.run, context, arguments)

    return base.named(run=run, is_async=True, in_transaction=False, approval=Approval.NEVER)
