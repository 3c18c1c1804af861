"""Who may see which thread. Missing and forbidden look the same."""

from typing import TYPE_CHECKING
from uuid import UUID

from chat_app.errors import MessageNotFound, ThreadNotFound
from chat_app.models import Message, Thread
from one_project.accounts.models import User
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
