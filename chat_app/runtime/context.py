"""The context of a turn: system prompt, recent messages, the prompt, what already answers it.

Stored kinds become model roles here and nowhere else; time order is kept. Failed, pending,
replaced and tool messages of earlier turns stay out.
"""

from collections.abc import Sequence

from django.conf import settings

from agents_app.models import Agent
from agents_app.providers.base import ChatRequest
from agents_app.providers.parts import ChatMessage
from chat_app.models import Message, MessageKind, MessageStatus, Turn

# A safe bound for any current model (about 100,000 tokens); the newest messages win.
MAX_CONTEXT_CHARS = 300_000


def build_request(turn: Turn) -> ChatRequest:
    """The model call for ``turn``: one query. The turn's prompt is always in it."""
    recent = (
        turn.thread.messages.current()
        .without_tools()
        .filter(status=MessageStatus.SUCCESS, order__lt=turn.prompt.order)
        .order_by("-order", "-step_order")
        .only("kind", "text", "author_id", "author_name", "agent_id", "order", "step_order")
    )[: settings.ONE_RECENT_MESSAGES]
    answering = (
        turn.thread.messages.current()
        .filter(status=MessageStatus.SUCCESS, order=turn.prompt.order)
        .exclude(pk=turn.message_id)
        .exclude(pk=turn.prompt_id)
        .in_order()
    )
    history = _within_budget(list(recent), len(turn.prompt.text))
    said = [*reversed(history), turn.prompt, *answering]
    several = len({message.author_id for message in said if message.author_id}) > 1
    messages = [_as_model_message(message, turn.agent, several) for message in said if message.text]
    if turn.agent and turn.agent.prompt:
        messages.insert(0, ChatMessage.text("system", turn.agent.prompt))
    options = {**(turn.agent.options if turn.agent else {}), **turn.thread_options()}
    return ChatRequest(
        messages=tuple(messages),
        temperature=options.get("temperature"),
        max_tokens=options.get("max_tokens"),
        provider_options=options.get("provider_options") or {},
        user=str(turn.requested_by_id) if turn.requested_by_id else None,
    )


def _within_budget(newest_first: Sequence[Message], used: int) -> list[Message]:
    kept: list[Message] = []
    for message in newest_first:
        used += len(message.text)
        if used > MAX_CONTEXT_CHARS:
            break
        kept.append(message)
    return kept


def _as_model_message(message: Message, answerer: Agent | None, several: bool) -> ChatMessage:
    """Names are told where they matter: several people, or another agent than the one asked."""
    text = message.text
    if message.kind == MessageKind.USER:
        named = several and message.author_name
        return ChatMessage.text("user", f"{message.author_name}: {text}" if named else text)
    if message.kind == MessageKind.SYSTEM:
        return ChatMessage.text("system", text)
    if answerer and message.agent_id not in {answerer.pk, None}:
        return ChatMessage.text("user", f"{message.author_name} (another agent): {text}")
    return ChatMessage.text("assistant", text)
