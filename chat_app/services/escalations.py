"""An agent asks for a person, a person takes the thread over and hands it back."""

from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agents_app.models import Agent
from agents_app.providers.parts import TextPart
from chat_app.live.announce import announce_inbox, announce_people
from chat_app.models import (
    Escalation,
    EscalationStatus,
    MessageKind,
    Thread,
    ThreadParticipant,
)
from chat_app.services.changes import Change, changing
from chat_app.services.messages import place_messages
from chat_app.types import MessageDraft
from one_project.accounts.models import Membership, Role, User
from one_project.accounts.services.events import record_event
from one_project.common.errors import Conflict
from one_project.common.text import clean_line


@transaction.atomic
def escalate(
    thread: Thread, *, reason: str, agent: Agent | None = None, user: User | None = None
) -> Escalation:
    """Ask for a person; asking again while one is asked for, or there, changes nothing.

    Tells the staff of the organisation. The thread's lock makes it one.
    """
    thread = Thread.objects.select_for_update().get(pk=thread.pk)
    found = Escalation.objects.open().filter(thread=thread).first()
    if found is not None:
        if found.status == EscalationStatus.TAKEN and not _is_there(found):
            found.status, found.taken_by = EscalationStatus.WAITING_FOR_HUMAN, None
            found.save(update_fields=["status", "taken_by", "updated_at"])
            announce_people(staff_ids(thread))
        return found
    made = Escalation.objects.create(
        organisation_id=thread.organisation_id,
        thread=thread,
        agent=agent,
        requested_by=user,
        reason=clean_line(reason, 500) or "A person is asked for.",
    )
    with changing(thread.pk) as change:
        note(change, "A person has been asked for.")
    record_event(thread.organisation, "escalation_opened", actor=user, target=f"thread:{thread.pk}")
    announce_people(staff_ids(thread))
    return made


def _is_there(escalation: Escalation) -> bool:
    """Whether who has taken it is still somebody who can help in the thread."""
    taker, thread = escalation.taken_by_id, escalation.thread
    takes_part = ThreadParticipant.objects.filter(thread=thread, user=taker).exists()
    return taker in staff_ids(thread) and takes_part


def staff_ids(thread: Thread) -> list[UUID]:
    """The people of the organisation who help others."""
    staff = Membership.objects.active().filter(organisation_id=thread.organisation_id)
    return list(staff.exclude(role=Role.MEMBER).values_list("user_id", flat=True))


def take_over(escalation: Escalation, *, by: User) -> Thread:
    """Enter the thread as the person who answers in it; agents are silent until it is handed back.

    Raises Conflict when somebody else was first.
    """
    with changing(escalation.thread_id) as change:
        now = timezone.now()
        taken = Escalation.objects.filter(
            Q(status=EscalationStatus.WAITING_FOR_HUMAN)
            | Q(status=EscalationStatus.TAKEN, taken_by=by),
            pk=escalation.pk,
        ).update(status=EscalationStatus.TAKEN, taken_by=by, taken_at=now, updated_at=now)
        if not taken:
            raise Conflict("Somebody else has taken this over, or it has been closed.")
        ThreadParticipant.objects.get_or_create(thread=change.thread, user=by)
        if change.thread.handled_by_id != by.pk:
            change.set_thread(handled_by=by)
            note(change, f"{by.display_name} has taken over.")
        _record(change.thread, "escalation_taken", by)
    announce_inbox(change.thread)
    announce_people(staff_ids(change.thread))
    return change.thread


def hand_back(thread: Thread, *, by: User) -> Thread:
    """Let the agents answer again; open escalations of the thread are closed with it."""
    with changing(thread.pk) as change:
        if change.thread.handled_by_id is None:
            raise Conflict("Nobody has taken this thread over.")
        now = timezone.now()
        Escalation.objects.open().filter(thread=change.thread).update(
            status=EscalationStatus.CLOSED, closed_at=now, updated_at=now
        )
        change.set_thread(handled_by=None)
        agent = change.thread.agent
        who = f" {agent.name} answers again." if agent else ""
        note(change, f"{by.display_name} has handed back.{who}")
        _record(change.thread, "escalation_closed", by)
    announce_inbox(change.thread)
    announce_people(staff_ids(change.thread))
    return change.thread


def note(change: Change, text: str) -> None:
    """A line of the house in the thread, for people. Models are not told: what names and reasons
    say would stand in the place of instructions."""
    draft = MessageDraft(kind=MessageKind.SYSTEM, parts=[TextPart(text)], author_name="ONE")
    [message] = place_messages(change, [draft])
    message.meta["skip_context"] = True
    message.save(update_fields=["meta"])
    change.said(message)


def _record(thread: Thread, kind: str, by: User) -> None:
    record_event(thread.organisation, kind, actor=by, target=f"thread:{thread.pk}")
