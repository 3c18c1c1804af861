"""Who may see which thread. Missing and forbidden look the same."""

from typing import TYPE_CHECKING
from uuid import UUID

from agents_app.errors import ToolCallNotFound
from agents_app.models import ToolCall
from chat_app.errors import EscalationNotFound, MessageNotFound, TaskNotFound, ThreadNotFound
from chat_app.models import Escalation, Message, Task, Thread
from one_project.accounts.access import find_membership
from one_project.accounts.models import Organisation, Role, User
from one_project.common.ids import parse_id

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


def access_thread(user: "User | AnonymousUser", thread_id: UUID | str) -> Thread:
    """The thread, if the person takes part in it and belongs to its organisation now.

    Raises ThreadNotFound otherwise, also for what is no id at all.
    """
    wanted = parse_id(thread_id)
    if wanted is None or not isinstance(user, User) or not user.is_active:
        raise ThreadNotFound
    thread = (
        Thread.objects.visible_to(user)
        .select_related("organisation", "agent")
        .filter(pk=wanted)
        .first()
    )
    if thread is None:
        raise ThreadNotFound
    return thread


def access_message(thread: Thread, message_id: UUID | str) -> Message:
    """The message of this (already permitted) thread. Raises MessageNotFound."""
    wanted = parse_id(message_id)
    message = wanted and (
        thread.messages.select_related("turn", "agent", "author").filter(pk=wanted).first()
    )
    if not message:
        raise MessageNotFound
    return message


def access_tool_call(user: "User | AnonymousUser", call_id: UUID | str) -> ToolCall:
    """The call, if the person may decide about it: they see its thread, and they are whom the
    agent works for, or staff of the organisation. Raises ToolCallNotFound."""
    wanted = parse_id(call_id)
    if wanted is None or not isinstance(user, User):
        raise ToolCallNotFound
    call = (
        ToolCall.objects.select_related("organisation", "agent", "requested_by")
        .filter(pk=wanted, thread_id__in=Thread.objects.visible_to(user).values("pk"))
        .first()
    )
    if call is None:
        raise ToolCallNotFound
    if call.requested_by_id != user.pk and not is_staff_of(user, call.organisation):
        raise ToolCallNotFound
    return call


def is_staff_of(user: User, organisation: Organisation | UUID) -> bool:
    """Whether the person helps others in the organisation: staff, admin or owner."""
    key = organisation.pk if isinstance(organisation, Organisation) else organisation
    membership = find_membership(user, key)
    return membership is not None and membership.role != Role.MEMBER


def access_escalation(user: User, organisation: Organisation, key: UUID | str) -> Escalation:
    """The escalation, for staff of its organisation. Raises EscalationNotFound."""
    wanted = parse_id(key)
    if wanted is None or not is_staff_of(user, organisation):
        raise EscalationNotFound
    found = (
        Escalation.objects.select_related("thread", "agent", "requested_by", "taken_by")
        .filter(pk=wanted, organisation=organisation, thread__deleted_at=None)
        .first()
    )
    if found is None:
        raise EscalationNotFound
    return found


def access_task(user: User, organisation: Organisation, key: UUID | str) -> Task:
    """A task of the person. Raises TaskNotFound."""
    wanted = parse_id(key)
    task = wanted and Task.objects.filter(pk=wanted, user=user, organisation=organisation).first()
    if not task:
        raise TaskNotFound
    return task
