"""What people do in a thread: begin it, say something, go on.

Each commits the message, the pending answer and the Turn in one transaction; only then is a
worker woken. A repeated request (same client key) returns what the first one made.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from agents_app.models import Agent
from agents_app.providers.parts import Part, TextPart, ToolCallPart, ToolResultPart
from billing_app.services.sending import (
    take_message,
    take_thread,
)
from chat_app.conf import TITLE_LIMIT
from chat_app.live.announce import announce_inbox
from chat_app.models import (
    Message,
    MessageKind,
    Thread,
    ThreadParticipant,
    TitleBy,
    Turn,
)
from chat_app.services.addressing import addressed
from chat_app.services.asking import (
    NOBODY,
    ask,
    check_answer,
    checked_text,
    pending_answer,
    turn_of_key,
)
from chat_app.services.attachments import attached_parts
from chat_app.services.changes import Change, changing
from chat_app.services.messages import place_messages
from chat_app.services.stopping import SENT_INSTEAD, withdraw_calls
from chat_app.services.threads import create_thread
from chat_app.types import MessageDraft
from one_project.accounts.models import Organisation, User
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.ids import new_id
from one_project.common.text import clean_line


def send_agent_message(
    thread: Thread,
    *,
    kind: str = MessageKind.USER,
    content: str,
    author: User | None = None,
    agent: Agent | None = None,
    client_key: UUID | None = None,
    tool_call: dict[str, Any] | None = None,
    result: dict[str, Any] | None = None,
    answer: bool | None = None,
    options: dict[str, Any] | None = None,
    speaker: Agent | None = None,
    asked_by: User | None = None,
    limited: bool = False,
    files: Sequence[UUID | str] = (),
) -> tuple[Message, Turn | None]:
    """Say ``content`` in the thread; a user message asks the agent for an answer.

    ``kind`` is user, agent or system. ``agent`` is who is asked (user message, default: the
    thread's agent) or who speaks (agent message). ``tool_call`` and ``result`` attach the use of a
    tool. ``answer`` overrides whether an answer is asked for; ``options`` are AgentOptions for it.
    ``limited``: the limits of people hold (raises RateLimited, BudgetExceeded: nothing was said).
    ``files``: what ``author`` attaches, by id (raises as ``attachable_files``).
    ``speaker``: the agent that asks on behalf of ``asked_by`` (a delegation). What waits for a
    person in the thread is denied: something else was said instead. Returns the message and its
    turn.
    """
    if kind not in {MessageKind.USER, MessageKind.AGENT, MessageKind.SYSTEM}:
        raise InvalidInput("The kind of a message is user, agent or system.")
    parts = _parts(checked_text(content), tool_call, result)
    parts += attached_parts(thread.organisation_id, author, files)
    draft = MessageDraft(kind=kind, parts=parts, author=author, client_key=client_key)
    if kind == MessageKind.AGENT:
        draft.agent = agent or thread.agent
    if speaker is not None:
        draft.author_name = speaker.name
    asks = kind == MessageKind.USER if answer is None else answer
    turn_id = new_id()
    try:
        with changing(thread.pk) as change:
            if kind == MessageKind.USER:
                withdraw_calls(change, SENT_INSTEAD)
            to = addressed(change.thread, content, author=author, picked=agent)
            requested_by = author or asked_by
            # A delegation has looked at the rights of its own.
            where = change.thread if speaker is None else None
            answers = (
                [pending_answer(to.agent, turn_id, thread=where, asker=author)]
                if asks and to.agent
                else []
            )
            message, *pending = place_messages(change, [draft, *answers])
            change.said(message)
            _name_thread(change, message)
            _see_own(change, author)
            turn = (
                ask(change, message, pending[0], requested_by, client_key, options, to.route)
                if pending
                else None
            )
            if limited and author is not None:
                # Last, because others of the organisation wait for these rows.
                take_message(change.thread.organisation, author)
                if turn is not None:
                    check_answer(turn, author, message.text)
    except IntegrityError:
        # The same key again: the constraint tells, so that nothing has to be looked up before.
        if found := _already_sent(thread, client_key):
            return found
        raise
    announce_inbox(change.thread)
    return message, turn


def continue_thread(
    thread: Thread,
    *,
    user: User,
    message: str,
    agent: Agent | None = None,
    client_key: UUID | None = None,
    limited: bool = False,
    files: Sequence[UUID | str] = (),
) -> Turn:
    """Say something as ``user`` and ask for an answer. Raises Conflict when nobody can answer;
    nothing has been said then."""
    with transaction.atomic():
        _, turn = send_agent_message(
            thread,
            content=message,
            author=user,
            agent=agent,
            client_key=client_key,
            limited=limited,
            files=files,
        )
        if turn is None:
            raise Conflict(NOBODY)
    return turn


def start_thread(
    organisation: Organisation,
    *,
    user: User,
    agent: Agent,
    message: str,
    client_key: UUID | None = None,
    limited: bool = False,
    files: Sequence[UUID | str] = (),
) -> tuple[Thread, Turn]:
    """Begin a thread with a first message; a repeated request finds the first one's thread.

    ``limited``: raises RateLimited where people begin or say more than they may, BudgetExceeded.
    """
    checked_text(message)
    try:
        with transaction.atomic():
            if found := _started(organisation, user, client_key):
                return found
            thread = create_thread(organisation, user=user, agent=agent)
            if limited:
                take_thread(organisation, user)
            turn = continue_thread(
                thread,
                user=user,
                message=message,
                client_key=client_key,
                limited=limited,
                files=files,
            )
            return thread, turn
    except IntegrityError:
        # The same request came twice at the same moment; the other one was first.
        if found := _started(organisation, user, client_key):
            return found
        raise


def _started(
    organisation: Organisation, user: User, key: UUID | None
) -> tuple[Thread, Turn] | None:
    turns = Turn.objects.filter(organisation=organisation, requested_by=user, client_key=key)
    turn = turns.select_related("thread").first() if key else None
    return (turn.thread, turn) if turn else None


def _parts(
    text: str, tool_call: dict[str, Any] | None, result: dict[str, Any] | None
) -> list[Part]:
    parts: list[Part] = [TextPart(text)]
    if tool_call:
        call_id = str(tool_call.get("id", ""))
        name = str(tool_call.get("name", ""))
        parts.append(ToolCallPart(id=call_id, name=name, arguments=tool_call.get("arguments", {})))
        if result is not None:
            parts.append(ToolResultPart(call_id=call_id, name=name, output=result))
    return parts


def _already_sent(thread: Thread, key: UUID | None) -> tuple[Message, Turn | None] | None:
    if key is None:
        return None
    message = thread.messages.filter(client_key=key).first()
    return (message, turn_of_key(thread, key)) if message else None


def _name_thread(change: Change, message: Message) -> None:
    if not change.thread.title and message.kind == MessageKind.USER:
        title = clean_line(message.text, min(TITLE_LIMIT, 60))
        change.set_thread(title=title, title_by=TitleBy.MESSAGE)


def _see_own(change: Change, author: User | None) -> None:
    if author is not None:
        ThreadParticipant.objects.filter(thread=change.thread, user=author).update(
            read_seq=change.seq
        )
