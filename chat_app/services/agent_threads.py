"""Threads for programs: how ``agents_app.runtime`` keeps what agents are asked and say."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.db import transaction

from agents_app.models import Agent as AgentRow
from agents_app.providers.parts import ChatMessage
from agents_app.runtime.agent import Agent, ContextParts
from agents_app.runtime.store import Begun, NewMessage, SavedMessage, ThreadInfo
from agents_app.types import AgentOptions
from chat_app.access import access_message, access_thread
from chat_app.conf import TITLE_LIMIT
from chat_app.errors import ThreadNotFound
from chat_app.live.announce import announce_inbox
from chat_app.models import (
    Message,
    MessageStatus,
    Thread,
    ThreadParticipant,
    ThreadStatus,
    TitleBy,
)
from chat_app.runtime.context import build_context, tellable
from chat_app.runtime.options import options_of
from chat_app.runtime.said import Listener
from chat_app.services.agent_messages import (
    answer_of_run,
    drafts_of,
    key_of,
    mark_run,
    pending_draft,
    replace_earlier,
    saved,
)
from chat_app.services.attachments import stored_inputs
from chat_app.services.changes import changing
from chat_app.services.messages import place_messages
from chat_app.services.threads import create_thread
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict, InvalidInput
from one_project.common.text import clean_line, clean_text

SUMMARY_LIMIT = 20_000


class AgentThreads:
    """See ``ThreadStore``, which says what each verb does."""

    def create_thread(
        self,
        organisation: Organisation,
        *,
        user: User | None,
        agent: Agent | None,
        title: str = "",
        parent_id: UUID | None = None,
    ) -> UUID:
        row = agent.row if agent else None
        if parent_id is not None:
            parent = _thread(parent_id, organisation, None)
            return _nested_thread(parent, user, row, title).pk
        if user is not None:
            return create_thread(organisation, user=user, agent=row, title=title).pk
        return _nobodys_thread(organisation, row, title).pk

    def find(
        self,
        thread_id: UUID,
        *,
        agent: Agent | None,
        organisation: Organisation | None,
        user: User | None,
    ) -> ThreadInfo:
        thread = _thread(thread_id, organisation, user)
        return ThreadInfo(
            id=thread.pk,
            organisation=thread.organisation,
            user=thread.created_by,
            options=options_of(agent, thread),
            title=thread.title,
            summary=thread.summary,
            status=thread.status,
            depth=thread.depth,
        )

    def update(self, thread_id: UUID, changes: dict[str, str]) -> None:
        limits = {"title": TITLE_LIMIT, "summary": SUMMARY_LIMIT, "status": 8}
        if unknown := sorted(set(changes) - set(limits)):
            raise InvalidInput(f"A thread's {', '.join(unknown)} cannot be changed.")
        if changes.get("status", ThreadStatus.ACTIVE) not in ThreadStatus.values:
            raise InvalidInput(f"The status is one of: {', '.join(ThreadStatus.values)}.")
        cleaned = {
            name: clean_text(value)[:SUMMARY_LIMIT]
            if name == "summary"
            else clean_line(value, limits[name])
            for name, value in changes.items()
        }
        if "title" in cleaned:
            cleaned["title_by"] = TitleBy.AGENT
        with changing(thread_id) as change:
            change.set_thread(**cleaned)
        announce_inbox(change.thread)

    def context(
        self,
        thread_id: UUID,
        *,
        agent: Agent,
        options: AgentOptions,
        prompt_id: UUID | None,
        prompt: ChatMessage | None,
        messages: Sequence[ChatMessage],
        user: User | None,
    ) -> ContextParts:
        thread = _thread(thread_id, None, None)
        stored = access_message(thread, prompt_id) if prompt_id else None
        parts = build_context(
            thread,
            agent=agent,
            options=options,
            prompt=stored,
            prompt_text=prompt.plain_text if prompt else None,
            messages=messages,
            user=user,
        )
        if stored is not None:
            answering = tellable(thread).filter(order=stored.order).exclude(pk=stored.pk)
            # What this call has done already is told whole, its use of tools included.
            listener = Listener(agent=agent.row, tools_of_others=True)
            parts = replace(parts, existing_responses=listener.hear(answering.in_order()))
        # Text beside a stored question is sent in its stead (AG-9).
        return replace(parts, input_prompt=(prompt,)) if prompt else parts

    def prompt_of(self, thread_id: UUID, key: UUID) -> UUID | None:
        found = Message.objects.filter(thread_id=thread_id, client_key=key_of(key, "prompt"))
        return found.values_list("pk", flat=True).first()

    def begin(
        self,
        thread_id: UUID,
        *,
        agent: Agent,
        user: User | None,
        inputs: Sequence[NewMessage],
        prompt_id: UUID | None,
        key: UUID | None,
    ) -> Begun:
        inputs = stored_inputs(thread_id, inputs, user)
        with changing(thread_id) as change:
            prompt = access_message(change.thread, prompt_id) if prompt_id else None
            again = prompt is not None
            if prompt is not None and (done := answer_of_run(prompt, key)):
                return Begun(prompt=saved(prompt), saved=(), pending=None, answered=saved(done))
            placed: list[Message] = []
            if prompt is None:
                placed = place_messages(change, drafts_of(inputs, agent, user, key))
                prompt = placed[-1]
                change.said(prompt)
            if prompt.status == MessageStatus.FAILED:
                raise Conflict("This question has failed; please ask it again.")
            [pending] = place_messages(
                change, [pending_draft(agent)], prompt=prompt, fail_pending=again
            )
            mark_run(pending, key)
            replace_earlier(change, pending, key)
        announce_inbox(change.thread)
        return Begun(
            prompt=saved(prompt),
            saved=tuple(saved(message) for message in placed),
            pending=saved(pending),
        )

    def end_step(
        self,
        thread_id: UUID,
        *,
        agent: Agent,
        prompt_id: UUID,
        pending_id: UUID,
        messages: Sequence[NewMessage],
        more: bool,
        key: UUID | None,
    ) -> tuple[list[SavedMessage], UUID | None]:
        messages = stored_inputs(thread_id, messages, None)
        with changing(thread_id) as change:
            prompt = access_message(change.thread, prompt_id)
            pending = access_message(change.thread, pending_id)
            if pending.status != MessageStatus.PENDING:
                raise Conflict("This answer was begun again by somebody else.")
            drafts = drafts_of(messages, agent, None, None)
            if more:
                drafts.append(pending_draft(agent))
            placed = place_messages(change, drafts, prompt=prompt, pending=pending)
            change.restate()  # what the thread has cost
            if more:
                mark_run(placed[-1], key)
            else:
                change.said(placed[0])
        done = placed[:-1] if more else placed
        if not more:
            announce_inbox(change.thread)
        return [saved(message) for message in done], placed[-1].pk if more else None

    def fail(self, thread_id: UUID, pending_id: UUID, *, error: str, code: str) -> None:
        with changing(thread_id) as change:
            pending = change.thread.messages.filter(
                pk=pending_id, status=MessageStatus.PENDING
            ).first()
            if pending is None:
                return
            pending.status, pending.error, pending.error_code = (
                MessageStatus.FAILED,
                error,
                code[:64],
            )
            change.touch(pending)
            change.restate()
            pending.save(update_fields=["status", "error", "error_code", "seq", "updated_at"])

    def save(
        self,
        thread_id: UUID,
        messages: Sequence[NewMessage],
        *,
        agent: Agent | None,
        user: User | None,
        prompt_id: UUID | None,
    ) -> list[SavedMessage]:
        messages = stored_inputs(thread_id, messages, user)
        with changing(thread_id) as change:
            prompt = access_message(change.thread, prompt_id) if prompt_id else None
            keys = [message.key for message in messages if message.key]
            rows = change.thread.messages.filter(client_key__in=keys) if keys else []
            known = {row.client_key: row for row in rows}
            new = [message for message in messages if message.key not in known]
            placed = iter(place_messages(change, drafts_of(new, agent, user), prompt=prompt))
            found = [
                known[message.key] if message.key in known else next(placed) for message in messages
            ]
            if new:
                change.said(found[-1])
        announce_inbox(change.thread)
        return [saved(message) for message in found]


def _thread(thread_id: UUID, organisation: Organisation | None, user: User | None) -> Thread:
    if user is not None:
        thread = access_thread(user, thread_id)
    else:
        rows = Thread.objects.present().select_related("organisation", "agent", "created_by")
        found = rows.filter(pk=thread_id).first()
        if found is None:
            raise ThreadNotFound
        thread = found
    if organisation is not None and thread.organisation_id != organisation.pk:
        raise ThreadNotFound
    return thread


@transaction.atomic
def _nobodys_thread(organisation: Organisation, agent: AgentRow | None, title: str) -> Thread:
    """A thread that a program began for no person."""
    thread = Thread.objects.create(
        organisation=organisation, agent=agent, title=clean_line(title, TITLE_LIMIT)
    )
    if agent is not None:
        ThreadParticipant.objects.create(thread=thread, agent=agent)
    record_event(organisation, "agent_thread_created", target=f"thread:{thread.pk}")
    return thread


@transaction.atomic
def _nested_thread(parent: Thread, user: User | None, agent: AgentRow | None, title: str) -> Thread:
    """A thread below another one, for the same people."""
    thread = Thread.objects.create(
        organisation_id=parent.organisation_id,
        created_by=user,
        agent=agent,
        title=clean_line(title, TITLE_LIMIT),
        parent=parent,
        depth=parent.depth + 1,
    )
    people = set(
        ThreadParticipant.objects.filter(thread=parent, user__isnull=False).values_list(
            "user_id", flat=True
        )
    )
    people |= {user.pk} if user else set()
    ThreadParticipant.objects.bulk_create(
        ThreadParticipant(thread=thread, user_id=person) for person in people
    )
    if agent is not None:
        ThreadParticipant.objects.create(thread=thread, agent=agent)
    return thread
