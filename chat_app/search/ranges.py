"""What stands around the hits: added after the cut, each message once (CX-5, CX-10)."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from django.db.models import Q

from chat_app.models import Message
from chat_app.models.messages import MessageQuerySet

RANGE_LIMIT = 400  # messages around the hits of one search


def with_ranges(
    hits: Sequence[Message],
    rows: MessageQuerySet,
    *,
    before: int,
    after: int,
    thread_id: UUID | None = None,
    before_order: int | None = None,
    known: Collection[UUID] = (),
) -> list[Message]:
    """The hits and what was said ``before`` and ``after`` them, in prompts, in the order of time.

    rows: messages a model may be told, of any thread. Those of the present thread (``thread_id``)
    from ``before_order`` on, and ``known`` ones, are left out. Other threads come first.
    """
    if not hits:
        return []
    wanted = Q()
    for hit in hits:
        wanted |= Q(
            thread_id=hit.thread_id, order__gte=hit.order - before, order__lte=hit.order + after
        )
    found = rows.filter(wanted).exclude(pk__in=list(known))
    if thread_id is not None and before_order is not None:
        found = found.exclude(thread_id=thread_id, order__gte=before_order)
    messages = {message.pk: message for message in found[:RANGE_LIMIT]}
    # A hit stays, whatever the limit of the rest.
    messages |= {hit.pk: hit for hit in hits if hit.pk not in known}
    return _by_time(messages.values(), thread_id)


def _by_time(messages: Iterable[Message], thread_id: UUID | None) -> list[Message]:
    """Thread by thread, the one with the newest last; the present one at the end. Numbers of
    different threads say nothing about each other."""
    threads: dict[UUID, list[Message]] = {}
    for message in messages:
        threads.setdefault(message.thread_id, []).append(message)
    groups = sorted(
        threads.items(),
        key=lambda one: (one[0] == thread_id, max(message.created_at for message in one[1])),
    )
    return [
        message
        for _, group in groups
        for message in sorted(group, key=lambda one: (one.order, one.step_order))
    ]
