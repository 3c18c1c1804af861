"""One durable change of a thread: locked, numbered, announced on commit.

The lock on the thread row makes the number order the commit order, so a viewer that has seen
number n has seen everything up to n.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from chat_app.conf import PREVIEW_LIMIT
from chat_app.errors import ThreadNotFound
from chat_app.live.announce import announce
from chat_app.models import Message, MessageStatus, Thread
from chat_app.services.indexing import index_messages
from one_project.common.markdown import plain_text

# What the page says above the conversation.
HEADING = {"title", "status", "agent", "routing", "handled_by"}


@dataclass(slots=True)
class Change:
    """The change in the making: ``seq`` is its number, ``thread`` the locked row."""

    thread: Thread
    seq: int
    message_ids: list[UUID] = field(default_factory=list)
    # Whether the canvas was written: its new state is announced as well.
    canvas: bool = False
    # Messages that are not said yet: nothing of them can be found, and nothing was.
    _unsaid: set[UUID] = field(default_factory=set)
    _fields: set[str] = field(default_factory=lambda: {"seq", "updated_at"})

    def touch(self, message: Message) -> None:
        """Number ``message`` with this change (the caller saves it) and announce it."""
        message.seq = self.seq
        if message.pk not in self.message_ids:
            self.message_ids.append(message.pk)
        unsaid = message.status == MessageStatus.PENDING and message.superseded_by_id is None
        (self._unsaid.add if unsaid else self._unsaid.discard)(message.pk)

    def said(self, message: Message) -> None:
        """Something was said: the thread moves to the top and has a new last message."""
        self.thread.last_activity_at = timezone.now()
        self.thread.message_seq = self.seq
        self.thread.last_message = plain_text(message.text, PREVIEW_LIMIT)
        self._fields |= {"last_activity_at", "message_seq", "last_message"}

    def set_thread(self, **values: object) -> None:
        """Change fields of the thread's own row; what its heading shows is announced."""
        for name, value in values.items():
            setattr(self.thread, name, value)
        self._fields |= set(values)
        if HEADING & values.keys():
            self.restate()

    def restate(self) -> None:
        """What the heading shows besides the thread's own row has changed: it is announced."""
        self.thread.title_seq = self.seq
        self._fields.add("title_seq")

    def save(self) -> None:
        self.thread.seq = self.seq
        self.thread.save(update_fields=self._fields)
        index_messages(self.thread, [pk for pk in self.message_ids if pk not in self._unsaid])


@contextmanager
def changing(thread_id: UUID, *, deleted_too: bool = False) -> Iterator[Change]:
    """Lock the thread, number the change, save and announce it. Raises ThreadNotFound.

    ``deleted_too``: also while its deletion can be undone, for what must not be lost then.
    """
    with transaction.atomic():
        rows = Thread.objects.all() if deleted_too else Thread.objects.present()
        rows = rows.select_related("agent").select_for_update(of=("self",))
        thread = rows.filter(pk=thread_id).first()
        if thread is None:
            raise ThreadNotFound
        change = Change(thread=thread, seq=thread.seq + 1)
        yield change
        change.save()
        announce(thread, change.seq, change.message_ids, canvas=change.canvas)


def restate(thread_id: UUID) -> None:
    """Announce the heading of the thread: what it has cost has changed. Nothing if it is gone."""
    with suppress(ThreadNotFound), changing(thread_id) as change:
        change.restate()
