"""The list of threads at the side: grouped by day, searched by title, loaded page by page."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from chat_app.forms import asked_cursor, asked_sum
from chat_app.models import Thread
from chat_app.services.inbox import waiting_count
from chat_app.services.reading import list_threads, unread_count
from chat_app.services.searching import Snippet, search_messages, snippets
from one_project.accounts.guards import member_required
from one_project.accounts.middleware import MemberRequest
from one_project.accounts.models import Role, User
from one_project.common.ids import parse_id
from one_project.common.text import clean_line

PAGE = 30
# A list that was scrolled far is refreshed as far, up to here.
LONGEST = 300
# Messages below the titles that a search finds.
HITS = 8


@dataclass(frozen=True, slots=True)
class Group:
    """Threads last active in one span of days."""

    name: str
    threads: list[Thread]


@dataclass(frozen=True, slots=True)
class Sidebar:
    """What ``chat/_thread_list.html`` shows. ``after`` is the group the list already ends with,
    ``waiting`` how many things wait in the inbox."""

    groups: list[Group]
    next_cursor: str | None
    query: str
    archived: bool
    current: str
    after: str
    unread: int
    waiting: int
    messages: list[Snippet] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(len(group.threads) for group in self.groups)

    @property
    def last_group(self) -> str:
        return self.groups[-1].name if self.groups else self.after


@require_safe
@member_required
def sidebar(request: MemberRequest) -> HttpResponse:
    """The list, or its next page, as a fragment."""
    current = parse_id(request.GET.get("current"))
    context = {"sidebar": sidebar_of(request, current=str(current or "")), "alone": True}
    return render(request, "chat/_thread_list.html", context)


def sidebar_of(request: MemberRequest, *, current: str = "") -> Sidebar:
    """The list as the address asks for it (``q``, ``archived``, ``cursor``, ``shown``)."""
    query = clean_line(request.GET.get("q"), 200)
    archived = request.GET.get("archived") == "1"
    found = list_threads(
        request.user,
        request.organisation,
        archived=archived,
        query=query,
        cursor=asked_cursor(request, "cursor"),
        page_size=asked_sum(request, "shown", low=PAGE, high=LONGEST),
    )
    hits = []
    if query:
        hits = search_messages(
            request.organisation, user=request.user, text=query, limit=HITS, prefix=True
        )
    return Sidebar(
        groups=_grouped(found.page, request.user),
        # A search shows its best hits only.
        next_cursor=None if query else found.continue_cursor,
        query=query,
        archived=archived,
        current=current,
        after=clean_line(request.GET.get("after"), 20),
        unread=unread_count(request.user, request.organisation),
        waiting=waiting_count(
            request.user,
            request.organisation,
            is_staff=request.membership.role != Role.MEMBER,
        ),
        messages=snippets(request.organisation, query, hits, prefix=True),
    )


def _grouped(threads: list[Thread], user: User) -> list[Group]:
    """In the order given, which is by last activity; days are those of the person."""
    zone = _zone(user)
    today = timezone.localdate(timezone=zone)
    groups: list[Group] = []
    for thread in threads:
        name = _span(timezone.localdate(thread.last_activity_at, zone), today)
        if not groups or groups[-1].name != name:
            groups.append(Group(name, []))
        groups[-1].threads.append(thread)
    return groups


def _span(day: date, today: date) -> str:
    if day >= today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return "Previous 7 days" if day > today - timedelta(days=8) else "Older"


def _zone(user: User) -> ZoneInfo:
    try:
        return ZoneInfo(user.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
