"""Answering again and changing a question. What is replaced stays reachable from the new one."""

from uuid import UUID

from agents_app.providers.parts import FilePart, TextPart
from billing_app.services.sending import take_message
from chat_app.errors import MessageNotFound
from chat_app.live.announce import announce_inbox
from chat_app.models import Message, MessageKind, MessageStatus, Thread, Turn
from chat_app.services.asking import ask, check_answer, checked_text, pending_answer, turn_of_key
from chat_app.services.changes import Change, changing
from chat_app.services.messages import place_messages
from chat_app.types import MessageDraft
from one_project.accounts.models import User
from one_project.common.errors import Conflict
from one_project.common.ids import new_id


def regenerate(
    thread: Thread,
    message: Message,
    *,
    user: User,
    client_key: UUID | None = None,
    limited: bool = False,
) -> Turn:
    """Answer again on the same order; the old answer stays reachable from the new one.

    Also the Retry after a failure. Raises Conflict while the old answer is still being written,
    RateLimited and BudgetExceeded (``limited``) where it may take more than the person has left.
    """
    with changing(thread.pk) as change:
        if found := turn_of_key(change.thread, client_key):
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
        draft = pending_answer(
            old.agent or thread.agent, new_id(), thread=change.thread, asker=user
        )
        [answer] = place_messages(change, [draft], prompt=prompt)
        turn = ask(change, prompt, answer, user, client_key)
        _supersede(change, whole, turn.message)
        if limited:
            check_answer(turn, user, prompt.text)
    announce_inbox(thread)
    return turn


def edit_message(
    thread: Thread,
    message: Message,
    *,
    user: User,
    text: str,
    client_key: UUID | None = None,
    limited: bool = False,
) -> Turn | None:
    """Ask a changed question: a new order begins from it, the old one stays reachable. Its files
    stay with it.

    Only the latest question and only by who wrote it; raises Conflict otherwise, and while it is
    still being answered.
    """
    cleaned = checked_text(text)
    with changing(thread.pk) as change:
        if found := turn_of_key(change.thread, client_key):
            return found
        old = _editable(change.thread, message, user)
        answers = list(change.thread.messages.filter(order=old.order).exclude(pk=old.pk).in_order())
        if any(answer.status == MessageStatus.PENDING for answer in answers):
            raise Conflict("Please stop the answer before changing the question.")
        asked = next((answer.agent for answer in answers if answer.agent), None)
        answerer = asked or change.thread.agent
        files = [part for part in old.parts if isinstance(part, FilePart)]
        drafts = [
            MessageDraft(
                kind=MessageKind.USER,
                parts=[TextPart(cleaned), *files],
                author=user,
                client_key=client_key,
            )
        ]
        if answerer:
            drafts.append(pending_answer(answerer, new_id(), thread=change.thread, asker=user))
        new, *pending = place_messages(change, drafts, order="next")
        current = [answer for answer in answers if answer.superseded_by_id is None]
        _supersede(change, [old, *current], new)
        change.said(new)
        turn = ask(change, new, pending[0], user, client_key) if pending else None
        if limited:
            take_message(change.thread.organisation, user)
            if turn is not None:
                check_answer(turn, user, cleaned)
    announce_inbox(thread)
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
