"""Durable changes, told to whoever looks: rendered once, after commit, for all viewers.

What is published here is only a wake-up with the content at hand; the rows are the truth, and a
viewer who misses it reads them by their numbers.
"""

import threading
from collections.abc import Iterable, Sequence
from functools import partial
from uuid import UUID

from django.template.loader import render_to_string

from chat_app.live import records
from chat_app.live.calls import attach_calls
from chat_app.live.canvas import render_canvas
from chat_app.live.costs import attach_costs
from chat_app.models import Message, Thread, ThreadParticipant
from one_project.common.publish import publish_on_commit

_last = threading.local()


def render_message(message: Message) -> str:
    """The canonical partial of one message: the same for the page, the answer and the socket."""
    return render_to_string("chat/_message.html", {"message": message})


def render_changes(
    thread_id: UUID, message_ids: Sequence[UUID], *, title: bool = False, canvas: bool = False
) -> str:
    """The HTML of messages in their present state; what is gone or replaced is a removal.

    ``title``, ``canvas``: the heading and the canvas as well.
    """
    found = {
        message.pk: message
        for message in Message.objects.filter(pk__in=message_ids, thread_id=thread_id)
        .select_related("author", "agent", "turn")
        .in_order()
    }
    attach_calls(list(found.values()))
    attach_costs(list(found.values()))
    shown = [render_message(row) for row in found.values() if row.superseded_by_id is None]
    gone = [
        f'<article id="message-{key}" data-removed></article>'
        for key in message_ids
        if key not in found or found[key].superseded_by_id is not None
    ]
    head = [render_title(Thread.objects.get(pk=thread_id))] if title else []
    beside = [render_canvas(thread_id)] if canvas else []
    return "\n".join([*head, *beside, *gone, *shown])


def render_answered(thread_id: UUID, messages: Sequence[Message]) -> str:
    """The HTML for the request that has just changed these messages.

    After the commit its announcement was made of the same: what was rendered is used again as
    long as the numbers say that nothing has changed since.
    """
    key = tuple((message.pk, message.seq) for message in messages)
    if getattr(_last, "key", None) == key:
        return str(_last.html)
    return render_changes(thread_id, [message.pk for message in messages])


def render_title(thread: Thread) -> str:
    """The thread's heading as the page shows it."""
    return render_to_string("chat/_title.html", {"thread": thread})


def announce(
    thread: Thread, seq: int, message_ids: Sequence[UUID], *, canvas: bool = False
) -> None:
    """Publish change ``seq`` of the thread once the transaction has committed."""
    ids, title = tuple(message_ids), thread.title_seq == seq
    publish_on_commit(
        records.thread_channel(thread.pk), partial(_payload, thread.pk, seq, ids, title, canvas)
    )


def _payload(thread_id: UUID, seq: int, ids: Sequence[UUID], title: bool, canvas: bool) -> bytes:
    html = render_changes(thread_id, ids)
    _last.key, _last.html = tuple((key, seq) for key in ids), html
    if title:
        html = f"{render_title(Thread.objects.get(pk=thread_id))}\n{html}"
    if canvas:
        html = f"{render_canvas(thread_id)}\n{html}"
    return records.durable(seq, seq - 1, html)


def announce_inbox(
    thread: Thread, *, only: Sequence[UUID] | None = None, extra: Sequence[UUID] = ()
) -> None:
    """Tell the people of the thread (or ``only`` those) that their list of threads changed."""
    people = (
        ThreadParticipant.objects.filter(thread=thread, user__isnull=False).values_list(
            "user_id", flat=True
        )
        if only is None
        else only
    )
    for user_id in {*people, *extra}:
        publish_on_commit(records.user_channel(user_id), records.INBOX)


def announce_people(user_ids: Iterable[UUID]) -> None:
    """Tell people that something is (not any more) to be done: their inbox has changed."""
    for user_id in set(user_ids):
        publish_on_commit(records.user_channel(user_id), records.INBOX)


def announce_revoked(thread: Thread) -> None:
    """Have every socket of the thread look at its rights again, now."""
    publish_on_commit(records.thread_channel(thread.pk), records.RECHECK)
