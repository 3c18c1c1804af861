"""The context of a turn: system prompt, search hits, recent messages, what is asked, what answers.

Which messages a thread gives is decided here; how they become a model's messages in ``said``, and
how much of them fits in ``agents_app.runtime.context``. Reads, stores nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from django.utils import timezone

from agents_app.providers.base import ChatRequest
from agents_app.providers.parts import ChatMessage
from agents_app.providers.registry import resolve_chat_model
from agents_app.runtime.agent import Agent, ContextParts
from agents_app.runtime.context import assemble, trim, without_orphans
from agents_app.runtime.prompt_text import fill_variables, variables_in
from agents_app.runtime.tokens import context_window, count_tools
from agents_app.tools.catalogue import Offered
from agents_app.types import AgentOptions, ContextOptions
from chat_app.models import Message, MessageKind, MessageStatus, Thread, Turn
from chat_app.models.messages import MessageQuerySet
from chat_app.runtime.canvas_text import canvas_notes
from chat_app.runtime.options import options_of, tool_choice, turn_agent, turn_options, turn_tools
from chat_app.runtime.recall import recall
from chat_app.runtime.said import Listener
from chat_app.runtime.thread_notes import thread_notes
from one_project.accounts.models import Organisation, User

# Of a request without tools, for a turn as ``begin_turn`` reads it: the agent's prompts and whom it
# may delegate to, recent messages, what answers already. The person is one more where tools or
# variables ask for them, the canvas where the thread has one, the tools are up to two; what a
# thread is about (``thread_notes``) is told by the app that it belongs to.
CONTEXT_QUERIES = 4
# Left free for the answer, where the options do not say: a quarter of the window, at most this.
ANSWER_RESERVE = 8_192
SUMMARY = "Summary of the earlier conversation: "


def build_request(turn: Turn, *, offered: Mapping[str, Offered] | None = None) -> ChatRequest:
    """The model call of the turn's present step. The turn's prompt is always in it.

    ``offered``: its tools, where the caller has read them already.
    """
    agent, options = turn_agent(turn), turn_options(turn)
    if offered is None:
        offered = turn_tools(turn, options)
    tools = tuple(one.definition.spec for one in offered.values())
    room = budget(options) - count_tools(tools, model_name(options))
    parts = build_context(turn, agent=agent, options=options)
    return ChatRequest(
        messages=tuple(fitting(parts, agent, options, room)),
        tools=tools,
        tool_choice=tool_choice(options, turn.step) if tools else None,
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=options.max_tokens,
        provider_options=options.provider_options or {},
        user=str(turn.requested_by_id) if turn.requested_by_id else None,
    )


def fetch_context(
    thread: Thread,
    *,
    agent: Agent | None,
    prompt: Message | str | None = None,
    prompt_text: str | None = None,
    messages: Sequence[ChatMessage] = (),
    options: AgentOptions | None = None,
    user: User | None = None,
) -> list[ChatMessage]:
    """What a model would be sent in ``thread`` (CX-18), for programs and the playground.

    ``prompt``: a stored message of the thread, a new text, or None for the conversation so far.
    ``prompt_text`` stands in the stored prompt's place; ``messages`` go before it. ``options`` are
    those of the call. Nothing is checked: the caller has access to the thread.
    """
    told = options_of(agent, thread, options)
    parts = build_context(
        thread,
        agent=agent,
        options=told,
        prompt=prompt,
        prompt_text=prompt_text,
        messages=messages,
        user=user,
    )
    return fitting(parts, agent, told, budget(told))


def build_context(
    of: Turn | Thread,
    *,
    agent: Agent | None = None,
    options: AgentOptions | None = None,
    prompt: Message | str | None = None,
    prompt_text: str | None = None,
    messages: Sequence[ChatMessage] = (),
    hits: Sequence[Message] = (),
    user: User | None = None,
) -> ContextParts:
    """The five parts, before they are put together and cut to the window.

    A turn brings its agent, prompt, options and person itself. ``options`` are final here (see
    ``options_of``). ``hits``: messages that a search has found; those that are recent anyway are
    left out of them (CX-10).
    """
    asked = _asked(of, agent, options, prompt, user)
    recent = _recent(asked)
    known = {message.pk for message in recent}
    found = [message for message in hits if message.pk not in known] or _recalled(
        asked, recent, prompt_text
    )
    answering = _answering(asked)
    stored = asked.prompt if isinstance(asked.prompt, Message) else None
    said = [*found, *recent, *([stored] if stored else []), *answering]
    listener = Listener(
        agent=asked.agent.row if asked.agent else None,
        several_people=len({message.author_id for message in said if message.author_id}) > 1,
        turn_id=asked.turn.pk if asked.turn else None,
        tools_of_others=not asked.context.exclude_tool_messages,
    )
    text = prompt_text if prompt_text is not None else asked.prompt
    return ContextParts(
        system=_system(asked),
        search=listener.hear(found),
        recent=listener.hear(recent),
        input_messages=tuple(messages),
        input_prompt=listener.hear_prompt(stored, text if isinstance(text, str) else None),
        existing_responses=listener.hear(answering),
        user_id=asked.user_id or asked.thread.created_by_id,
        thread_id=asked.thread.pk,
    )


def fitting(
    parts: ContextParts, agent: Agent | None, options: AgentOptions, room: int
) -> list[ChatMessage]:
    """The parts as one list of at most ``room`` tokens, through the agent's own handler."""
    messages = without_orphans(assemble(parts, agent.context_handler if agent else None))
    keep = (*parts.input_prompt, *parts.existing_responses)
    return trim(messages, room, keep=keep, model=model_name(options))


def budget(options: AgentOptions) -> int:
    """Tokens of input that leave the model room for its answer."""
    window = context_window(model_name(options))
    reserve = options.max_tokens or ANSWER_RESERVE
    return window - min(reserve, window // 4 if options.max_tokens is None else window // 2)


def model_name(options: AgentOptions) -> str:
    """The model that is going to answer: an agent's wish may lead to another one."""
    try:
        return resolve_chat_model(options.model).model
    except ImproperlyConfigured:
        return options.model or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a context is for: a turn, or a thread with a question."""

    thread: Thread
    organisation: Callable[[], Organisation]
    agent: Agent | None
    options: AgentOptions
    context: ContextOptions
    prompt: Message | str | None
    turn: Turn | None
    user_id: UUID | None
    # Asked for only where a prompt names the person.
    user: Callable[[], User | None]


def _asked(
    of: Turn | Thread,
    agent: Agent | None,
    options: AgentOptions | None,
    prompt: Message | str | None,
    user: User | None,
) -> _Asked:
    if isinstance(of, Turn):
        agent, options = agent or turn_agent(of), options or turn_options(of)
    else:
        options = options or options_of(agent, of)
    turn = of if isinstance(of, Turn) else None
    return _Asked(
        thread=turn.thread if turn else cast(Thread, of),
        organisation=lambda: of.organisation,
        agent=agent,
        options=options,
        context=context_options(options),
        prompt=turn.prompt if turn else prompt,
        turn=turn,
        user_id=turn.requested_by_id if turn else (user.pk if user else None),
        user=lambda: turn.requested_by if turn else user,
    )


def context_options(options: AgentOptions) -> ContextOptions:
    """What the options say of the context, or the installation's default."""
    if options.context is not None:
        return options.context
    return ContextOptions(recent_messages=settings.ONE_RECENT_MESSAGES)


def tellable(thread: Thread) -> MessageQuerySet:
    """Messages of the thread that a model may be told: said to the end, not replaced or hidden."""
    return _told(thread.messages.all())


def _told(rows: MessageQuerySet) -> MessageQuerySet:
    hidden = Q(meta__contains={"skip_context": True})
    return rows.current().filter(~hidden, status=MessageStatus.SUCCESS)


def without_silent_tools(messages: MessageQuerySet) -> MessageQuerySet:
    """Without tool messages; an agent's that has words beside its calls keeps them."""
    return messages.exclude(kind=MessageKind.TOOL).exclude(is_tool=True, text="")


_FIELDS = (
    "kind", "text", "content", "is_tool", "author_id", "author_name", "agent_id", "turn_id",
    "thread_id", "order", "step_order", "sources",
)  # fmt: skip


def _recent(asked: _Asked) -> list[Message]:
    """The newest before the prompt, oldest first (CX-2)."""
    wanted = asked.context.recent_messages
    if not wanted:
        return []
    rows = tellable(asked.thread)
    if isinstance(asked.prompt, Message):
        rows = rows.filter(order__lt=asked.prompt.order)
    if asked.context.exclude_tool_messages:
        rows = without_silent_tools(rows)
    return list(rows.only(*_FIELDS).order_by("-order", "-step_order")[:wanted])[::-1]


def _recalled(asked: _Asked, recent: Sequence[Message], prompt_text: str | None) -> list[Message]:
    """What a search for the question finds, where the options want one (CX-4)."""
    prompt = asked.prompt
    text = prompt_text or (prompt.text if isinstance(prompt, Message) else prompt) or ""
    if not asked.context.search_options.is_on or not text:
        return []
    order = recent[0].order if recent else prompt.order if isinstance(prompt, Message) else None
    return recall(
        asked.thread,
        text,
        asked.context,
        organisation=asked.organisation(),
        person=asked.user() or asked.thread.created_by,
        before_order=order,
        rows=tellable_everywhere(asked.organisation()),
    )


def tellable_everywhere(organisation: Organisation) -> MessageQuerySet:
    """As ``tellable``, of all threads, without the use of tools."""
    return without_silent_tools(_told(Message.objects.filter(organisation=organisation)))


def _answering(asked: _Asked) -> list[Message]:
    """What has been said to the prompt already: earlier steps of the turn, other agents."""
    if not isinstance(asked.prompt, Message):
        return []
    rows = tellable(asked.thread).filter(order=asked.prompt.order).exclude(pk=asked.prompt.pk)
    if asked.turn is not None:
        rows = rows.exclude(pk=asked.turn.message_id)
    return list(rows.only(*_FIELDS).in_order())


def _system(asked: _Asked) -> tuple[ChatMessage, ...]:
    """Instructions with their variables filled, and what the summary tells of the time before."""
    told = asked.options.instructions or ""
    if variables_in(told):
        told = fill_variables(told, _variables(asked))
    summary = asked.thread.summary if asked.context.recent_messages else ""
    texts = [
        told,
        f"{SUMMARY}{summary}" if summary else "",
        canvas_notes(asked.thread),
        thread_notes(asked.thread),
    ]
    whole = "\n\n".join(text for text in texts if text)
    # One message: some servers take no second one.
    return (ChatMessage.text("system", whole),) if whole else ()


def _variables(asked: _Asked) -> Mapping[str, str]:
    return variables_of(asked.thread, asked.organisation(), asked.agent, asked.user())


def variables_of(
    thread: Thread, organisation: Organisation, agent: Agent | None, user: User | None
) -> Mapping[str, str]:
    """What prompts may ask for, by name; the thread's own variables never stand in for these."""
    own = thread.meta.get("variables")
    told = {
        name: str(value)
        for name, value in (own.items() if isinstance(own, dict) else ())
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
    return told | {
        "user.name": user.name if user else "",
        "organisation.name": organisation.name,
        "thread.title": thread.title,
        "agent.name": agent.name if agent else "",
        "date": timezone.now().date().isoformat(),
    }
