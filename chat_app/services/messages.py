"""Placing messages: the rules of order and step order (rows MS-1 to MS-19 of the reference).

``order`` counts prompts of a thread from 0; ``step_order`` counts what belongs to one prompt. All
placing happens under the lock on the thread row, so two callers never get one place.
"""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from django.db.models import Max

from agents_app.providers.parts import Part
from chat_app.conf import (
    DELETE_BY_ORDER_BATCH,
    FAIL_PENDING_BATCH,
    MAX_ORDER,
    RESTARTING,
)
from chat_app.errors import InvalidOrder, MessageNotFound
from chat_app.models import Message, MessageKind, MessageStatus, Thread
from chat_app.models.messages import is_tool_message, text_of
from chat_app.services.attachments import (
    file_ids,
    files_changed,
    release_files_of,
    without_large_data,
)
from chat_app.services.changes import Change, changing
from chat_app.services.citations import forget_citations_with
from chat_app.types import MessageDraft

Order = int | Literal["next"] | None


def save_messages(
    thread: Thread,
    drafts: Sequence[MessageDraft],
    *,
    prompt: Message | None = None,
    order: Order = None,
    pending: Message | None = None,
    fail_pending: bool = False,
) -> list[Message]:
    """Save ``drafts`` in one change and return them placed.

    Without more, a user message opens a new order and the rest follow the latest one (MS-1, MS-2).
    ``prompt`` appends to that message's order (MS-3); ``order`` names one, or ``"next"`` a new one
    (MS-4, MS-5); ``pending`` lets the first draft take that message's place (MS-9);
    ``fail_pending`` fails what was left pending, of the prompt's order where one is given (MS-10).
    Large data in their parts is stored as files (FI-1). Raises InvalidOrder (MS-6, MS-7).
    """
    for draft in drafts:
        draft.parts = without_large_data(thread.organisation_id, draft.parts, draft.author)
    with changing(thread.pk) as change:
        return place_messages(
            change, drafts, prompt=prompt, order=order, pending=pending, fail_pending=fail_pending
        )


def place_messages(
    change: Change,
    drafts: Sequence[MessageDraft],
    *,
    prompt: Message | None = None,
    order: Order = None,
    pending: Message | None = None,
    fail_pending: bool = False,
) -> list[Message]:
    """As ``save_messages``, inside a change somebody else opened."""
    if order is not None and (prompt is not None or pending is not None):
        raise InvalidOrder("An order cannot be combined with a prompt or a pending message.")
    if fail_pending:
        _fail_pending(change, prompt, but=pending)
    placer = _Placer(change.thread, prompt, order)
    lost = file_ids(pending.content) if pending is not None else []
    inherited = prompt.error if prompt and prompt.status == MessageStatus.FAILED else None
    placed: list[Message] = []
    for index, draft in enumerate(drafts):
        replaced = pending if index == 0 else None
        if replaced is not None:
            message = _replace_pending(change, replaced, draft)
        else:
            message = _new_message(change, draft, *placer.next(draft.kind, first=index == 0))
        if inherited is not None and message.status != MessageStatus.FAILED:
            # MS-8: what answers a failed prompt has failed with it.
            message.status, message.error = MessageStatus.FAILED, inherited
        change.touch(message)
        if replaced is not None:
            message.save()
        placed.append(message)
    Message.objects.bulk_create(placed[1:] if pending is not None else placed)
    carried = [key for message in placed for key in file_ids(message.content)]
    files_changed(change.thread.organisation_id, before=lost, after=carried)
    return placed


class _Placer:
    """Hands out places one after the other; reads the highest ones once."""

    def __init__(self, thread: Thread, prompt: Message | None, order: Order) -> None:
        self.thread = thread
        self.explicit = order is not None
        self.prompted = prompt is not None
        if prompt is None:
            # One look at the end of the thread's index tells both.
            places = thread.messages.order_by("-order", "-step_order")
            top = places.values_list("order", "step_order").first() or (-1, -1)
            self._highest: int | None = top[0]
        else:
            self._highest = None  # asked for only when a new order is opened
        if prompt is not None:
            self.order = prompt.order
        elif order == "next":
            self.order = self.highest + 1
        elif order is not None:
            self.order = _valid_order(order)
        else:
            self.order = max(self.highest, 0)
        _valid_order(self.order)
        known = prompt is None and self.order >= top[0]
        self.step = (top[1] if self.order == top[0] else -1) if known else self._last_step()

    @property
    def highest(self) -> int:
        """The highest order of the thread, -1 where there is none."""
        if self._highest is None:
            found = self.thread.messages.aggregate(highest=Max("order"))["highest"]
            self._highest = -1 if found is None else int(found)
        return self._highest

    def next(self, kind: str, *, first: bool) -> tuple[int, int]:
        """The place of the next message of ``kind``."""
        opens = kind == MessageKind.USER and not (self.explicit and first)
        if opens:
            self.order = _valid_order(max(self.highest, self._floor()) + 1)
            self.step = -1
        if self._highest is not None:
            self._highest = max(self._highest, self.order)
        self.step += 1
        return self.order, self.step

    def _floor(self) -> int:
        return self.order if self.explicit else -1

    def _last_step(self) -> int:
        last = self.thread.messages.filter(order=self.order).aggregate(last=Max("step_order"))[
            "last"
        ]
        return -1 if last is None else int(last)


def _valid_order(order: object) -> int:
    if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order <= MAX_ORDER:
        raise InvalidOrder(f"An order is a whole number from 0 to {MAX_ORDER}.")
    return order


def _new_message(change: Change, draft: MessageDraft, order: int, step: int) -> Message:
    message = Message(
        organisation_id=change.thread.organisation_id,
        thread=change.thread,
        order=order,
        step_order=step,
        kind=draft.kind,
    )
    _fill(message, draft)
    return message


def _replace_pending(change: Change, pending: Message, draft: MessageDraft) -> Message:
    message = change.thread.messages.filter(pk=pending.pk).first()
    if message is None:
        raise MessageNotFound
    had_failed, error = message.status == MessageStatus.FAILED, message.error
    message.kind = draft.kind
    _fill(message, draft)
    if had_failed:
        message.status, message.error = MessageStatus.FAILED, error
    return message


def _fill(message: Message, draft: MessageDraft) -> None:
    message.status = draft.status
    message.author = draft.author
    message.agent = draft.agent
    message.author_name = draft.author_name or _author_name(draft)
    if draft.turn_id:
        message.turn_id = draft.turn_id
    message.model, message.provider = draft.model, draft.provider
    message.finish_reason = draft.finish_reason
    message.usage = draft.usage
    message.provider_options = draft.provider_options
    message.provider_metadata = draft.provider_metadata
    message.sources, message.warnings = draft.sources, draft.warnings
    if draft.client_key:
        message.client_key = draft.client_key
    set_parts(message, draft.parts)


def _author_name(draft: MessageDraft) -> str:
    if draft.author:
        return draft.author.display_name[:120]
    return draft.agent.name if draft.agent else ""


def set_parts(message: Message, parts: list[Part]) -> None:
    """Set the content and what is derived from it (the caller saves)."""
    message.content = [part.to_json() for part in parts]
    message.text = text_of(parts)
    message.is_tool = is_tool_message(message.kind, parts)


def _fail_pending(change: Change, prompt: Message | None, but: Message | None) -> None:
    pending = change.thread.messages.filter(status=MessageStatus.PENDING)
    if prompt is not None:
        pending = pending.filter(order=prompt.order)
    if but is not None:
        pending = pending.exclude(pk=but.pk)
    for message in pending.in_order()[:FAIL_PENDING_BATCH]:
        message.status, message.error = MessageStatus.FAILED, RESTARTING
        change.touch(message)
        message.save(update_fields=["status", "error", "seq", "updated_at"])


def fail_pending_steps(thread: Thread, *, prompt: Message | None = None) -> None:
    """Fail up to 100 pending messages, of the prompt's order where one is given (MS-10)."""
    with changing(thread.pk) as change:
        _fail_pending(change, prompt, but=None)


def update_message(thread: Thread, message_id: UUID, **fields: object) -> Message:
    """Change a message (MS-16): ``parts``, ``status``, ``error``, ``model``, ``provider``,
    ``provider_options``, ``finish_reason``. Text and the tool flag follow the parts.
    """
    allowed = {"status", "error", "model", "provider", "provider_options", "finish_reason"}
    parts = fields.pop("parts", None)
    unknown = set(fields) - allowed
    if unknown:
        raise TypeError(f"update_message cannot change {', '.join(sorted(unknown))}")
    with changing(thread.pk) as change:
        message = change.thread.messages.filter(pk=message_id).first()
        if message is None:
            raise MessageNotFound
        for name, value in fields.items():
            setattr(message, name, value)
        if isinstance(parts, list):
            before = file_ids(message.content)
            set_parts(message, parts)
            after = file_ids(message.content)
            files_changed(message.organisation_id, before=before, after=after)
        change.touch(message)
        message.save()
        return message


def delete_messages(thread: Thread, ids: Sequence[UUID]) -> list[UUID]:
    """Delete by id; returns those that existed (MS-18)."""
    with changing(thread.pk) as change:
        rows = list(change.thread.messages.filter(pk__in=ids).values_list("pk", "order"))
        existing = [pk for pk, _ in rows]
        forget_citations_with(existing)
        release_files_of(existing)
        change.thread.messages.filter(pk__in=existing).delete()
        _forget_told(change, [order for _, order in rows])
        change.message_ids.extend(existing)
        return existing


def delete_by_order(
    thread: Thread, *, start: tuple[int, int], end: tuple[int, int]
) -> tuple[bool, int | None, int | None]:
    """Delete places from ``start`` (inclusive) to ``end`` (exclusive), at most 64 (MS-19).

    Returns ``(is_done, last_order, last_step_order)``; call again from the place after the last
    until done.
    """
    with changing(thread.pk) as change:
        places = [
            (message.order, message.step_order, message.pk)
            for message in change.thread.messages.filter(order__gte=start[0], order__lte=end[0])
            .in_order()
            .only("order", "step_order")
            if start <= (message.order, message.step_order) < end
        ][: DELETE_BY_ORDER_BATCH + 1]
        batch = places[:DELETE_BY_ORDER_BATCH]
        forget_citations_with([pk for _, _, pk in batch])
        release_files_of([pk for _, _, pk in batch])
        change.thread.messages.filter(pk__in=[pk for _, _, pk in batch]).delete()
        _forget_told(change, [order for order, _, _ in batch])
        change.message_ids.extend(pk for _, _, pk in batch)
        if not batch:
            return True, None, None
        return len(places) <= DELETE_BY_ORDER_BATCH, batch[-1][0], batch[-1][1]


def _forget_told(change: Change, orders: Sequence[int]) -> None:
    """Drop a summary that may tell of what was deleted; it is made anew when it is needed."""
    if orders and min(orders) <= change.thread.summary_order:
        change.set_thread(summary="", summary_order=-1)
