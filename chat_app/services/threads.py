"""Verbs on threads: create, rename, archive, delete with undo, purge, take part, read."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from agents_app.access import access_agent
from agents_app.models import Agent, ToolCall
from agents_app.services.forgetting import forget_calls_of
from chat_app.conf import DELETE_BATCH, TITLE_LIMIT
from chat_app.errors import ThreadNotFound
from chat_app.live.announce import announce_inbox, announce_revoked
from chat_app.models import Message, Thread, ThreadParticipant, ThreadStatus, TitleBy, Turn
from chat_app.services.attachments import release_files_of
from chat_app.services.changes import changing
from chat_app.services.citations import forget_citations
from one_project.accounts.access import access_membership
from one_project.accounts.models import Organisation, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import AccessDenied, InvalidInput
from one_project.common.text import clean_line
from one_project.workflows.definitions import find_step
from one_project.workflows.services.work import enqueue


@transaction.atomic
def create_thread(
    organisation: Organisation,
    *,
    user: User,
    agent: Agent | None = None,
    title: str = "",
    participants: Iterable[User] = (),
) -> Thread:
    """A new thread of ``user``, who takes part with ``agent`` and ``participants``.

    Raises NotFound where somebody is no member of the organisation, AgentNotFound where the
    person may not use the agent.
    """
    access_membership(user, organisation)
    if agent is not None:
        access_agent(user, organisation, agent.pk)
    thread = Thread.objects.create(
        organisation=organisation,
        created_by=user,
        agent=agent,
        title=clean_line(title, TITLE_LIMIT),
    )
    for person in {user, *participants}:
        access_membership(person, organisation)
        ThreadParticipant.objects.create(thread=thread, user=person)
    if agent is not None:
        ThreadParticipant.objects.create(thread=thread, agent=agent)
    record_event(
        organisation,
        "agent_thread_created",
        actor=user,
        target=f"thread:{thread.pk}",
        data={"agent": str(agent.pk) if agent else None},
    )
    announce_inbox(thread)
    return thread


def rename_thread(thread: Thread, *, user: User, title: str) -> Thread:
    """Give the thread a title (one line). Raises InvalidInput when it is empty."""
    title = clean_line(title, TITLE_LIMIT)
    if not title:
        raise InvalidInput("Please enter a title.")
    with changing(thread.pk) as change:
        change.set_thread(title=title, title_by=TitleBy.PERSON)
        _record(change.thread, "thread_renamed", user)
    return change.thread


def archive_thread(thread: Thread, *, user: User, archived: bool = True) -> Thread:
    """Put the thread away, or bring it back. Only its status changes (T-D10)."""
    with changing(thread.pk) as change:
        change.set_thread(status=ThreadStatus.ARCHIVED if archived else ThreadStatus.ACTIVE)
        _record(change.thread, "thread_archived" if archived else "thread_unarchived", user)
    return change.thread


@transaction.atomic
def delete_thread(thread: Thread, *, user: User) -> None:
    """Hide the thread at once; ``purge_deleted_threads`` removes it after the time for undo.

    Only who began it, or an admin of the organisation, may; others get AccessDenied.
    """
    _require_owner(thread, user)
    if not Thread.objects.present().filter(pk=thread.pk).update(deleted_at=timezone.now()):
        raise ThreadNotFound
    _record(thread, "thread_deleted", user)
    announce_inbox(thread)
    announce_revoked(thread)


@transaction.atomic
def restore_thread(organisation: Organisation, thread_id: UUID, *, user: User) -> Thread:
    """Take a deletion back while the thread is still there. Raises ThreadNotFound."""
    thread = (
        Thread.objects.filter(pk=thread_id, organisation=organisation, deleted_at__isnull=False)
        .filter(participants__user=user)
        .select_for_update(of=("self",))
        .first()
    )
    if thread is None:
        raise ThreadNotFound
    _require_owner(thread, user)
    thread.deleted_at = None
    thread.save(update_fields=["deleted_at", "updated_at"])
    _record(thread, "thread_restored", user)
    announce_inbox(thread)
    return thread


def purge_deleted_threads() -> int:
    """Remove threads deleted before the time for undo, in batches; returns how many are gone.

    Each batch is a transaction of its own, so a crash leaves a smaller thread to go on with.
    """
    horizon = timezone.now() - timedelta(seconds=settings.ONE_THREAD_UNDO_SECONDS)
    gone = 0
    for thread_id in list(
        Thread.objects.filter(deleted_at__lt=horizon).values_list("pk", flat=True)[:DELETE_BATCH]
    ):
        purge_thread(thread_id)
        gone += 1
    return gone


def purge_thread(thread_id: UUID) -> None:
    """Remove a thread and all that hangs on it, 100 messages a transaction (TH-6); first those its
    agents have delegated to. Who waits for what this one was to find out is told."""
    for child in list(Thread.objects.filter(parent=thread_id).values_list("pk", flat=True)):
        purge_thread(child)
    while ids := list(
        Message.objects.filter(thread_id=thread_id).values_list("pk", flat=True)[:DELETE_BATCH]
    ):
        with transaction.atomic():
            # A turn goes with the last message it wrote; what it wrote before does without it.
            turns = Turn.objects.filter(thread_id=thread_id, message_id__in=ids)
            forget_citations(list(turns))
            turns.delete()
            release_files_of(ids)
            Message.objects.filter(pk__in=ids).delete()
    with transaction.atomic():
        for call in ToolCall.objects.open().filter(child_thread_id=thread_id):
            gone = find_step("chat_app.delegation_gone")
            enqueue(gone, call.pk, organisation_id=call.organisation_id)
        forget_calls_of(thread_id)
        Thread.objects.filter(pk=thread_id).delete()


def add_participants(thread: Thread, *, user: User, people: Iterable[User]) -> None:
    """Let members of the organisation take part. Raises NotFound for anybody else."""
    with changing(thread.pk) as change:
        for person in people:
            access_membership(person, change.thread.organisation_id)
            for each in [thread.pk, *nested_ids(thread.pk)]:
                ThreadParticipant.objects.get_or_create(thread_id=each, user=person)
        change.set_thread(title=change.thread.title)
        _record(change.thread, "participants_added", user)
    announce_inbox(thread)


@transaction.atomic
def remove_participant(thread: Thread, *, user: User, person: User) -> None:
    """Take ``person`` out (oneself, or anybody by who began the thread); their sockets close.

    Out of the threads of its delegations too.
    """
    if person != user:
        _require_owner(thread, user)
    everywhere = [thread.pk, *nested_ids(thread.pk)]
    ThreadParticipant.objects.filter(thread__in=everywhere, user=person).delete()
    _record(thread, "participant_removed", user)
    for each in Thread.objects.filter(pk__in=everywhere):
        announce_revoked(each)
    announce_inbox(thread, extra=[person.pk])


def nested_ids(thread_id: UUID) -> list[UUID]:
    """The threads of its delegations, and of theirs."""
    found: list[UUID] = []
    layer = [thread_id]
    while layer:
        layer = list(Thread.objects.filter(parent__in=layer).values_list("pk", flat=True))
        found += layer
    return found


def mark_read(thread: Thread, *, user: User, seq: int | None = None) -> None:
    """The person has seen the thread up to ``seq`` (default: all of it). Never goes back."""
    seen = thread.message_seq if seq is None else min(seq, thread.seq)
    changed = ThreadParticipant.objects.filter(thread=thread, user=user, read_seq__lt=seen).update(
        read_seq=seen
    )
    if changed:
        announce_inbox(thread, only=[user.pk])


def _require_owner(thread: Thread, user: User) -> None:
    if thread.created_by_id == user.pk:
        return
    if not access_membership(user, thread.organisation_id).is_admin:
        raise AccessDenied("Only the person who began this thread can do this.")


def _record(thread: Thread, kind: str, user: User) -> None:
    record_event(thread.organisation, kind, actor=user, target=f"thread:{thread.pk}")
