"""Reading threads and messages in pages, for pages, programs and tools.

Cursors are opaque to callers: they name the last row seen, so pages stay right while new rows
arrive (T-D11).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import F, OuterRef, Q, Subquery

from chat_app.conf import DEFAULT_PAGE
from chat_app.live.calls import attach_calls
from chat_app.live.costs import attach_costs
from chat_app.models import Message, MessageKind, MessageStatus, Thread, ThreadParticipant
from chat_app.types import ContextMessage
from one_project.accounts.models import Organisation, User
from one_project.common.cursors import read_moment, read_numbers, write_cursor
from one_project.common.text import clean_line

SEARCH_LIMIT = 10
# Messages before a hit, itself included, and after it; the page loads the others as one scrolls.
AROUND = 10
ROLES = {
    MessageKind.USER: "user",
    MessageKind.AGENT: "assistant",
    MessageKind.SYSTEM: "system",
    MessageKind.TOOL: "tool",
}


@dataclass(frozen=True, slots=True)
class MessagePage:
    """``page`` in the order asked for; pass ``continue_cursor`` on until ``is_done``."""

    page: list[Message]
    is_done: bool
    continue_cursor: str | None


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """As MessagePage; each thread has ``is_unread`` for the person who asked."""

    page: list[Thread]
    is_done: bool
    continue_cursor: str | None


def get_thread_messages(
    thread: Thread,
    *,
    cursor: str | None = None,
    page_size: int = DEFAULT_PAGE,
    newest_first: bool = True,
    statuses: Sequence[str] | None = None,
    exclude_tools: bool = False,
    current_only: bool = False,
    up_to: Message | None = None,
) -> MessagePage:
    """A page of messages by place (MS-15). ``up_to`` keeps that message's whole order.

    Raises InvalidInput for a cursor that is none.
    """
    messages = thread.messages.select_related("author", "agent", "turn")
    if statuses is not None:
        messages = messages.filter(status__in=statuses)
    if exclude_tools:
        messages = messages.without_tools()
    if current_only:
        messages = messages.current()
    if up_to is not None:
        messages = messages.filter(order__lte=up_to.order)
    if cursor:
        messages = messages.filter(_beyond(*read_numbers(cursor, 2), newest_first=newest_first))
    ordering = ["-order", "-step_order"] if newest_first else ["order", "step_order"]
    size = max(page_size, 0)
    rows = list(messages.order_by(*ordering)[: size + 1])
    page, more = rows[:size], len(rows) > size
    attach_calls(page)
    attach_costs(page)
    following = write_cursor(page[-1].order, page[-1].step_order) if more and page else None
    return MessagePage(page, is_done=not more, continue_cursor=following)


def messages_around(
    thread: Thread, message: Message, *, page_size: int = AROUND
) -> tuple[MessagePage, MessagePage]:
    """The page that ends with ``message`` (newest first), and the one after it (oldest first)."""
    older = get_thread_messages(
        thread,
        cursor=write_cursor(message.order, message.step_order + 1),
        page_size=page_size,
        current_only=True,
    )
    newer = get_thread_messages(
        thread,
        cursor=write_cursor(message.order, message.step_order),
        page_size=page_size,
        newest_first=False,
        current_only=True,
    )
    return older, newer


def _beyond(order: int, step: int, *, newest_first: bool) -> Q:
    if newest_first:
        return Q(order__lt=order) | Q(order=order, step_order__lt=step)
    return Q(order__gt=order) | Q(order=order, step_order__gt=step)


def get_thread_context(thread: Thread, *, limit: int = 10) -> list[ContextMessage]:
    """The newest ``limit`` successful messages, oldest first, as role, content and time."""
    page = get_thread_messages(
        thread,
        page_size=limit,
        statuses=[MessageStatus.SUCCESS],
        exclude_tools=True,
        current_only=True,
    )
    return [
        ContextMessage(
            ROLES[MessageKind(message.kind)], message.text, message.created_at.isoformat()
        )
        for message in reversed(page.page)
    ]


def list_threads(
    user: User,
    organisation: Organisation,
    *,
    archived: bool = False,
    query: str = "",
    cursor: str | None = None,
    page_size: int = 30,
) -> ThreadPage:
    """The person's threads by last activity; ``query`` finds words of titles (10 at most).

    The last word matches as a beginning. Raises InvalidInput for a cursor that is none.
    """
    mine = ThreadParticipant.objects.filter(thread=OuterRef("pk"), user=user)
    threads = (
        Thread.objects.visible_to(user)
        # A delegation's thread is reached from the one it belongs to.
        .filter(organisation=organisation, status="archived" if archived else "active", parent=None)
        .annotate(read_seq=Subquery(mine.values("read_seq")[:1]))
        .select_related("agent")
    )
    if words := clean_line(query, 200).split():
        threads = threads.annotate(words=SearchVector("title", config="simple")).filter(
            words=_title_query(words)
        )
        page_size = min(page_size, SEARCH_LIMIT)
    if cursor:
        at, thread_id = read_moment(cursor)
        threads = threads.filter(
            Q(last_activity_at__lt=at) | Q(last_activity_at=at, pk__lt=thread_id)
        )
    rows = list(threads.latest_first()[: page_size + 1])
    page, more = rows[:page_size], len(rows) > page_size
    for thread in page:
        seen: int = getattr(thread, "read_seq", 0) or 0
        thread.is_unread = thread.message_seq > seen  # type: ignore[attr-defined]
    last = page[-1] if page else None
    following = write_cursor(last.last_activity_at, last.pk) if more and last else None
    return ThreadPage(page, is_done=not more, continue_cursor=following)


def _title_query(words: list[str]) -> SearchQuery:
    quoted = ["'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in words]
    return SearchQuery(
        " & ".join([*quoted[:-1], quoted[-1] + ":*"]), search_type="raw", config="simple"
    )


def unread_count(user: User, organisation: Organisation) -> int:
    """How many of the person's active threads have something new."""
    return ThreadParticipant.objects.filter(
        user=user,
        thread__organisation=organisation,
        thread__deleted_at=None,
        thread__status="active",
        thread__parent=None,
        thread__message_seq__gt=F("read_seq"),
    ).count()
