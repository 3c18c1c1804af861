"""What the templates of the chat need: the body of a message, its name, marks and colours."""

from collections.abc import Mapping, Sequence
from zlib import crc32

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from agents_app.errors import AgentExecutionError
from billing_app.services.costs import cost_of_thread
from billing_app.types.costs import CallCost
from chat_app.live.announce import render_message
from chat_app.models import Message, MessageKind, MessageStatus, Thread, Turn
from chat_app.runtime.thread_notes import place_of
from chat_app.templatetags.calls import asks_people, used
from chat_app.templatetags.citations import render_cited
from one_project.accounts.models import Membership, User
from one_project.common.markdown import StreamRenderer

register = template.Library()

HUES = 8
LONGEST_REASON = 400
FAILED = AgentExecutionError.user_message


@register.simple_tag
def message_body(message: Message) -> SafeString:
    """The content of ``.body``: the same for a finished answer and one that streamed in."""
    if message.kind == MessageKind.USER:
        return conditional_escape(message.text)
    if message.status == MessageStatus.PENDING:
        turn = turn_of(message)
        snapshot = StreamRenderer.resume(turn.partial if turn else "").snapshot()
        return mark_safe(snapshot)  # noqa: S308 - sanitised by the renderer
    closed = render_cited(message)
    return mark_safe(f'<div class="closed">{closed}</div><div class="open"></div>')  # noqa: S308


@register.simple_tag
def message_articles(messages: Sequence[Message]) -> SafeString:
    """Messages as the socket brings them, nothing in between: a loaded page equals a live one."""
    return mark_safe("".join(render_message(message).strip() for message in messages))  # noqa: S308


@register.filter
def place(thread: Thread) -> Mapping[str, str] | None:
    """Where the thread has been opened, to go back there."""
    return place_of(thread)


@register.filter
def turn_of(message: Message) -> Turn | None:
    """The turn that writes the message, if one does."""
    return getattr(message, "turn", None)


@register.filter
def live_status(message: Message) -> str:
    """``pending`` becomes ``streaming`` with the first text."""
    turn = turn_of(message)
    writes = message.status == MessageStatus.PENDING and message.kind == MessageKind.AGENT
    if writes and turn is not None and turn.partial_seq > 0:
        return "streaming"
    return message.status


@register.filter
def author_of(message: Message) -> str:
    """Whom the message is from, also when they are gone."""
    if message.author_name:
        return message.author_name
    if message.kind == MessageKind.USER:
        return "Someone"
    return "Agent" if message.kind in {MessageKind.AGENT, MessageKind.TOOL} else "ONE"


@register.filter
def label(message: Message) -> str:
    """The accessible name: starts with the author."""
    if message.kind == MessageKind.TOOL:
        state = ", waits for a decision" if asks_people(message) else ""
        return f"{author_of(message)}: used {used(message)}{state}"
    what = {"user": "message", "agent": "answer"}.get(message.kind, "note")
    state = {"pending": ", being written", "failed": ", failed"}.get(message.status, "")
    return f"{author_of(message)}: {what}{state}"


@register.filter
def reason(message: Message) -> str:
    """Why an answer failed, where that is a sentence for people and says more than the usual."""
    text = message.error.strip()
    if not text.endswith(".") or text == FAILED or len(text) > LONGEST_REASON:
        return ""
    return text.removeprefix(FAILED).strip()


@register.filter
def mark(message: Message) -> str:
    """What the round avatar of the author shows."""
    if message.agent is not None:
        return message.agent.mark
    return initials(author_of(message))


@register.filter
def initials(name: str) -> str:
    """One or two letters of a name."""
    words = str(name).replace(".", " ").split()
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def hue(value: object) -> str:
    """One of a few colours, always the same for the same person or agent."""
    return f"hue-{crc32(str(value).encode()) % HUES}"


@register.simple_tag
def cost_to_date(thread: Thread) -> CallCost:
    """What the thread has cost so far."""
    return cost_of_thread(thread.organisation_id, thread.pk)


@register.simple_tag
def people_count(thread: Thread) -> int:
    """How many people take part."""
    return thread.participants.filter(user__isnull=False).count()


@register.simple_tag
def memberships(user: User) -> list[Membership]:
    """The organisations a person can work in."""
    found = Membership.objects.active().filter(user=user).select_related("organisation")
    return list(found.order_by("organisation__name"))
