"""Asking for an answer: the pending message, the turn that fills it, and the work behind both."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from pydantic import ValidationError

from agents_app.models import Agent, AgentKind
from agents_app.providers.registry import resolve_chat_model
from agents_app.runtime.spending import is_free
from billing_app.errors import BudgetExceeded
from billing_app.services import budgets
from billing_app.services.sending import check_tokens, estimate_tokens
from billing_app.types.usage import Spender
from chat_app.errors import MessageTooLong
from chat_app.models import (
    Message,
    MessageKind,
    MessageStatus,
    Thread,
    ThreadParticipant,
    Turn,
)
from chat_app.runtime.options import turn_options
from chat_app.services.answering import answer_turn, turn_over
from chat_app.services.changes import Change
from chat_app.types import MessageDraft
from one_project.accounts.models import User
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.ids import new_id
from one_project.common.text import clean_text
from one_project.workflows.services.work import enqueue

NOBODY = "This thread has no agent. Please choose one to answer."


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


def pending_answer(
    agent: Agent | None, turn_id: UUID, *, thread: Thread | None = None, asker: User | None = None
) -> MessageDraft:
    """What the agent is going to say. Raises Conflict when there is nobody to say it.

    With a ``thread`` the agent has to be one that ``asker``, or who began the thread, may use now:
    what is shared no more does not go on answering.
    """
    if agent is None or not agent.is_active:
        raise Conflict(NOBODY)
    if thread is not None and not _may_answer(agent, thread, asker):
        raise Conflict(NOBODY)
    return MessageDraft(
        kind=MessageKind.AGENT, status=MessageStatus.PENDING, agent=agent, turn_id=turn_id
    )


def _may_answer(agent: Agent, thread: Thread, asker: User | None) -> bool:
    if agent.organisation_id != thread.organisation_id:
        return False
    if agent.kind == AgentKind.SYSTEM_AGENT or agent.is_shared:
        return True
    people = {agent.created_by_id} & {thread.created_by_id, asker.pk if asker else None}
    if people - {None}:
        return True
    return any(
        Agent.objects.usable_by(person, thread.organisation).filter(pk=agent.pk).exists()
        for person in (asker, thread.created_by)
        if person is not None
    )


def ask(
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


def turn_of_key(thread: Thread, key: UUID | None) -> Turn | None:
    if key is None:
        return None
    return thread.turns.select_related("message").filter(client_key=key).first()


def check_answer(turn: Turn, user: User, text: str) -> None:
    """Raises RateLimited where an answer to ``text`` may take more tokens than are left, and
    BudgetExceeded where nothing is left to spend on it."""
    thread = turn.thread
    estimate = estimate_tokens(text, last_total=_last_total(thread))
    check_tokens(thread.organisation, user, estimate)
    spender = Spender(organisation_id=turn.organisation_id, user_id=user.pk, agent_id=turn.agent_id)
    try:
        budgets.check(spender)
    except BudgetExceeded:
        if not _is_free(turn):
            raise
        budgets.check(spender, is_free=True)


def _is_free(turn: Turn) -> bool:
    """Whether the model that is going to be asked costs nothing."""
    try:
        return is_free(resolve_chat_model(turn_options(turn).model))
    except (ImproperlyConfigured, ValidationError):
        return False  # the turn says what is wrong


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
