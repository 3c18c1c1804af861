"""What people do in a thread: say something, ask again, change a question, stop an answer.

Each commits the message, the pending answer and the Turn in one transaction; only then is a
worker woken. A repeated request (same client key) returns what the first one made.
"""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents_app.models import Agent
from agents_app.providers.parts import Part, TextPart, ToolCallPart, ToolResultPart
from billing_app.services.sending import (
    check_tokens,
    estimate_tokens,
    take_message,
    take_thread,
)
from chat_app.conf import TITLE_LIMIT
from chat_app.errors import MessageNotFound, MessageTooLong, TurnOver
from chat_app.live.announce import announce_inbox
from chat_app.models import (
    Message,
    MessageKind,
    MessageStatus,
    Thread,
    ThreadParticipant,
    TitleBy,
    Turn,
    TurnStatus,
)
from chat_app.services.addressing import addressed
from chat_app.services.answering import answer_turn, turn_over
from chat_app.services.changes import Change, changing
from chat_app.services.messages import place_messages, set_parts
from chat_app.services.stopping import SENT_INSTEAD, stop_waiting, withdraw_calls
from chat_app.services.threads import create_thread
from chat_app.services.turns import turn_ended
from chat_app.types import MessageDraft
from one_project.accounts.models import Organisation, User
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.ids import new_id
from one_project.common.text import clean_line, clean_text
from one_project.workflows.services.work import ask_to_stop, enqueue


def checked_text(text: object) -> str:
    """Clean text of at most ONE_MESSAGE_MAX_BYTES bytes of UTF-8.

    Raises InvalidInput when it is empty and MessageTooLong when it is over the limit.
    """
    cleaned = clean_text(text).strip("\n")
    if not cleaned.strip():
        raise InvalidInput("Please write a message first.")
    size, limit = len(cleaned.encode()), settings.ONE_MESSAGE_MAX_BYTES
    if size > limit:
        raise MessageTooLong(
            f"This message is too long: {size:,} bytes, and the limit is {limit:,}. "
            "Please shorten it or send it in parts."
        )
    return cleaned


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
) -> tuple[Message, Turn | None]:
    """Say ``content`` in the thread; a user message asks the agent for an answer.

    ``kind`` is user, agent or system. ``agent`` is who is asked (user message, default: the
    thread's agent) or who speaks (agent message). ``tool_call`` and ``result`` attach the use of a
    tool. ``answer`` overrides whether an answer is asked for; ``options`` are AgentOptions for it.
    ``limited``: the rate limits of people hold (raises RateLimited; nothing was said then).
    ``speaker``: the agent that asks on behalf of ``asked_by`` (a delegation). What waits for a
    person in the thread is denied: something else was said instead. Returns the message and its
    turn.
    """
    if kind not in {MessageKind.USER, MessageKind.AGENT, MessageKind.SYSTEM}:
        raise InvalidInput("The kind of a message is user, agent or system.")
    parts = _parts(checked_text(content), tool_call, result)
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
            answers = [_pending_answer(to.agent, turn_id)] if asks and to.agent else []
            message, *pending = place_messages(change, [draft, *answers])
            change.said(message)
            _name_thread(change, message)
            _see_own(change, author)
            turn = (
                _ask(change, message, pending[0], requested_by, client_key, options, to.route)
                if pending
                else None
            )
            if limited and author is not None:
                # Last, because others of the organisation wait for these rows.
                take_message(change.thread.organisation, author)
                if turn is not None:
                    check_tokens(
                        change.thread.organisation,
                        author,
                        estimate_tokens(message.text, last_total=_last_total(change.thread)),
                    )
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
) -> Turn:
    """Say something as ``user`` and ask for an answer. Raises Conflict when nobody can answer."""
    _, turn = send_agent_message(
        thread, content=message, author=user, agent=agent, client_key=client_key, limited=limited
    )
    if turn is None:
        raise Conflict("This thread has no agent. Please choose one to answer.")
    return turn


def start_thread(
    organisation: Organisation,
    *,
    user: User,
    agent: Agent,
    message: str,
    client_key: UUID | None = None,
    limited: bool = False,
) -> tuple[Thread, Turn]:
    """Begin a thread with a first message; a repeated request finds the first one's thread.

    ``limited``: raises RateLimited where people begin or say more than they may.
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
                thread, user=user, message=message, client_key=client_key, limited=limited
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


def regenerate(
    thread: Thread, message: Message, *, user: User, client_key: UUID | None = None
) -> Turn:
    """Answer again on the same order; the old answer stays reachable from the new one.

    Also the Retry after a failure. Raises Conflict while the old answer is still being written.
    """
    with changing(thread.pk) as change:
        if found := _turn_of_key(change.thread, client_key):
            return found
        old = Message.objects.select_for_update().filter(pk=message.pk, thread=thread).first()
        if old is None or old.kind != MessageKind.AGENT:
            raise MessageNotFound
        if old.status == MessageStatus.PENDING:
            raise Conflict("This answer is still being written.")
        if old.superseded_by_id:
            raise Conflict("This answer has been replaced already.")
        whole = [old]
        if old.turn_id is not None:
            if Turn.objects.open().filter(pk=old.turn_id).exists():
                raise Conflict("This answer is still being written.")
            # All its steps are replaced, not only the one that was looked at.
            whole = list(
                change.thread.messages.filter(turn=old.turn_id, superseded_by=None).in_order()
            )
        prompt = _prompt_of(old)
        draft = _pending_answer(old.agent or thread.agent, new_id())
        [answer] = place_messages(change, [draft], prompt=prompt)
        turn = _ask(change, prompt, answer, user, client_key)
        _supersede(change, whole, turn.message)
    announce_inbox(thread)
    return turn


def edit_message(
    thread: Thread, message: Message, *, user: User, text: str, client_key: UUID | None = None
) -> Turn | None:
    """Ask a changed question: a new order begins from it, the old one stays reachable.

    Only the latest question and only by who wrote it; raises Conflict otherwise, and while it is
    still being answered.
    """
    cleaned = checked_text(text)
    with changing(thread.pk) as change:
        if found := _turn_of_key(change.thread, client_key):
            return found
        old = _editable(change.thread, message, user)
        answers = list(change.thread.messages.filter(order=old.order).exclude(pk=old.pk).in_order())
        if any(answer.status == MessageStatus.PENDING for answer in answers):
            raise Conflict("Please stop the answer before changing the question.")
        asked = next((answer.agent for answer in answers if answer.agent), None)
        answerer = asked or change.thread.agent
        drafts = [
            MessageDraft(
                kind=MessageKind.USER, parts=[TextPart(cleaned)], author=user, client_key=client_key
            )
        ]
        if answerer:
            drafts.append(_pending_answer(answerer, new_id()))
        new, *pending = place_messages(change, drafts, order="next")
        current = [answer for answer in answers if answer.superseded_by_id is None]
        _supersede(change, [old, *current], new)
        change.said(new)
        turn = _ask(change, new, pending[0], user, client_key) if pending else None
    announce_inbox(thread)
    return turn


def stop_turn(thread: Thread, turn_id: UUID) -> Turn:
    """Stop an answer, keeping what has arrived. Raises TurnOver when it has ended.

    A turn no worker holds ends here; a running one is asked to stop, and its worker ends it.
    """
    with changing(thread.pk) as change:
        turn = (
            Turn.objects.select_for_update(of=("self",))
            .select_related("message")
            .filter(pk=turn_id, thread=thread)
            .first()
        )
        if turn is None or not turn.is_open:
            raise TurnOver
        turn.stop_requested_at = timezone.now()
        if turn.status == TurnStatus.WAITING:
            turn.save(update_fields=["stop_requested_at", "updated_at"])
            stop_waiting(change, turn)
            turn.refresh_from_db()
            return turn
        if turn.work_id is None or ask_to_stop(turn.work_id):
            turn.status, turn.finished_at = TurnStatus.STOPPED, timezone.now()
            parts: list[Part] = [TextPart(turn.partial)] if turn.partial else []
            set_parts(turn.message, parts)
            turn.partial = ""
            turn.message.status = MessageStatus.SUCCESS
            turn.message.finish_reason = "stopped"
            change.touch(turn.message)
            turn.message.save()
            turn_ended(change, turn, turn.message)
        turn.save(
            update_fields=["status", "finished_at", "stop_requested_at", "partial", "updated_at"]
        )
    return turn


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
    return (message, _turn_of_key(thread, key)) if message else None


def _turn_of_key(thread: Thread, key: UUID | None) -> Turn | None:
    if key is None:
        return None
    return thread.turns.select_related("message").filter(client_key=key).first()


def _pending_answer(agent: Agent | None, turn_id: UUID) -> MessageDraft:
    """What the agent is going to say. Raises Conflict when there is nobody to say it."""
    if agent is None or not agent.is_active:
        raise Conflict("This thread has no agent. Please choose one to answer.")
    return MessageDraft(
        kind=MessageKind.AGENT, status=MessageStatus.PENDING, agent=agent, turn_id=turn_id
    )


def _ask(
    change: Change,
    prompt: Message,
    answer: Message,
    user: User | None,
    key: UUID | None,
    options: dict[str, Any] | None = None,
    route: str = "",
) -> Turn:
    """The turn that fills the pending ``answer``; a worker is woken after commit."""
    turn_id = answer.turn_id or new_id()
    work = enqueue(
        answer_turn,
        turn_id,
        organisation_id=change.thread.organisation_id,
        on_complete=turn_over,
        context={"turn": str(turn_id)},
    )
    turn = Turn.objects.create(
        pk=turn_id,
        work=work,
        organisation_id=change.thread.organisation_id,
        thread=change.thread,
        prompt=prompt,
        message=answer,
        agent=answer.agent,
        requested_by=user,
        client_key=key,
        options=options or {},
        meta={"route": route} if route else {},
    )
    if answer.agent_id != change.thread.agent_id:  # that one takes part since the thread began
        ThreadParticipant.objects.get_or_create(thread=change.thread, agent=answer.agent)
    return turn


def _supersede(change: Change, old: list[Message], new: Message) -> None:
    new.meta["earlier"] = True
    new.save(update_fields=["meta"])
    for message in old:
        message.superseded_by = new
        change.touch(message)
        message.save(update_fields=["superseded_by", "seq", "updated_at"])


def _prompt_of(answer: Message) -> Message:
    prompt = (
        Message.objects.filter(
            thread_id=answer.thread_id, order=answer.order, kind=MessageKind.USER
        )
        .in_order()
        .first()
    )
    if prompt is None:
        raise Conflict("The question of this answer is gone.")
    return prompt


def _editable(thread: Thread, message: Message, user: User) -> Message:
    latest = (
        thread.messages.filter(kind=MessageKind.USER, superseded_by=None)
        .order_by("-order", "-step_order")
        .first()
    )
    if latest is None or latest.pk != message.pk:
        raise Conflict("Only the latest question can be changed.")
    if latest.author_id != user.pk:
        raise Conflict("Only the person who wrote a question can change it.")
    return latest


def _last_total(thread: Thread) -> int | None:
    """Tokens of the thread's last answer: the next one is likely to take as many (RL-18)."""
    usage = (
        thread.messages.filter(kind=MessageKind.AGENT, usage__isnull=False)
        .order_by("-order", "-step_order")
        .values_list("usage", flat=True)
        .first()
    )
    if not usage:
        return None
    return int(usage.get("input_tokens", 0)) + int(usage.get("output_tokens", 0))


def _name_thread(change: Change, message: Message) -> None:
    if not change.thread.title and message.kind == MessageKind.USER:
        title = clean_line(message.text, min(TITLE_LIMIT, 60))
        change.set_thread(title=title, title_by=TitleBy.MESSAGE)


def _see_own(change: Change, author: User | None) -> None:
    if author is not None:
        ThreadParticipant.objects.filter(thread=change.thread, user=author).update(
            read_seq=change.seq
        )
