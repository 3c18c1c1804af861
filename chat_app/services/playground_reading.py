"""What the playground shows of threads: whose, what was said, what each answer took."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, Subquery

from agents_app.models import AICall, Purpose
from agents_app.providers.parts import FilePart, ReasoningPart, SourcePart
from agents_app.services.ai_calls import with_costs
from billing_app.services.costs import cost_by_purpose
from billing_app.types.money import ZERO
from chat_app.models import Message, MessageStatus, Thread, ThreadParticipant, Trial, Turn
from chat_app.services.reading import MessagePage, ThreadPage, get_thread_messages
from one_project.accounts.models import Organisation, User
from one_project.common.cursors import read_moment, write_cursor
from one_project.common.ids import parse_id
from one_project.common.text import clean_line

NOBODY = "none"
PEOPLE = 500
THREADS = 10
MESSAGES = 20
TRIALS = 10


@dataclass(slots=True)
class Figures:
    """Sums over model calls. Times in ms; ``cost`` in US dollars, None: no price is known of one;
    ``is_guessed``: one has a cost by an unknown model's price, or by estimated tokens."""

    steps: int = 0
    tokens: int = 0
    cost: Decimal | None = None
    duration_ms: int = 0
    first_token_ms: int | None = None
    is_estimated: bool = False
    is_guessed: bool = False

    @classmethod
    def of(cls, calls: Iterable[AICall]) -> "Figures":
        """Of calls ``with_costs``."""
        found = list(calls)
        costs = [call.cost for call in found if call.cost is not None]
        firsts = [call.first_token_ms for call in found if call.first_token_ms is not None]
        return cls(
            steps=len(found),
            tokens=sum(call.total_tokens for call in found),
            cost=sum(costs, ZERO) if found and len(costs) == len(found) else None,
            duration_ms=sum(call.duration_ms for call in found),
            first_token_ms=firsts[0] if firsts else None,
            is_estimated=any(call.is_estimated for call in found),
            is_guessed=any(
                call.cost and (call.is_estimated or call.meta.get("price") == "estimated")
                for call in found
            ),
        )


@dataclass(slots=True)
class Entry:
    """A message and the model calls that made it. ``message.calls``: its uses of tools."""

    message: Message
    figures: Figures | None
    reasoning: list[str]
    sources: list[dict[str, Any]]
    files: list[str]


@dataclass(slots=True)
class TurnTotal:
    """What an answer took, from its request to its end."""

    turn: Turn
    figures: Figures

    @property
    def seconds_ms(self) -> int | None:
        """Ms from when a worker began it; None while it is open."""
        if self.turn.started_at is None or self.turn.finished_at is None:
            return None
        return round((self.turn.finished_at - self.turn.started_at).total_seconds() * 1000)


@dataclass(slots=True)
class Section:
    """A question with all that answers it, and the turns that did."""

    order: int
    entries: list[Entry] = field(default_factory=list)
    totals: list[TurnTotal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A page of a thread, oldest first; ``earlier`` is the cursor of the page before."""

    sections: list[Section]
    earlier: str | None


def people(organisation: Organisation) -> list[User]:
    """Everybody who belongs or belonged to the organisation, by name."""
    found = User.objects.filter(memberships__organisation=organisation)
    return list(found.order_by("name", "email")[:PEOPLE])


def threads_of(
    organisation: Organisation, *, person: str = "", query: str = "", cursor: str | None = None
) -> ThreadPage:
    """Threads by last activity, each with ``last_agent`` (its name) and ``owner_name``.

    ``person``: an id, ``none`` for threads that nobody began, empty for all. Raises InvalidInput
    for a cursor that is none.
    """
    said = Message.objects.filter(thread=OuterRef("pk"), agent__isnull=False)
    last_agent = said.order_by("-order", "-step_order").values("author_name")[:1]
    threads = (
        Thread.objects.present()
        .filter(organisation=organisation)
        .annotate(last_agent=Subquery(last_agent))
        .select_related("agent", "created_by")
    )
    if person == NOBODY:
        threads = threads.filter(created_by=None)
    elif person:
        # An id that is none finds nothing.
        mine = ThreadParticipant.objects.filter(thread=OuterRef("pk"), user=parse_id(person))
        threads = threads.filter(Exists(mine)) if parse_id(person) else threads.none()
    if words := clean_line(query, 200):
        threads = threads.filter(Q(title__icontains=words) | Q(last_message__icontains=words))
    if cursor:
        at, thread_id = read_moment(cursor)
        threads = threads.filter(
            Q(last_activity_at__lt=at) | Q(last_activity_at=at, pk__lt=thread_id)
        )
    rows = list(threads.latest_first()[: THREADS + 1])
    page, more = rows[:THREADS], len(rows) > THREADS
    last = page[-1] if page else None
    following = write_cursor(last.last_activity_at, last.pk) if more and last else None
    return ThreadPage(page, is_done=not more, continue_cursor=following)


def view_thread(thread: Thread, *, cursor: str | None = None) -> ThreadView:
    """The newest messages or those before ``cursor``; a fixed number of queries."""
    page = get_thread_messages(thread, cursor=cursor, page_size=MESSAGES)
    messages = list(reversed(page.page))
    by_message, by_turn = _calls_of(thread, messages)
    sections: list[Section] = []
    for message in messages:
        if not sections or sections[-1].order != message.order:
            sections.append(Section(message.order))
        sections[-1].entries.append(_entry(message, by_message.get(message.pk, [])))
    for section in sections:
        section.totals = _totals(section.entries, by_turn)
    return ThreadView(sections, _earlier(page))


def thread_sums(thread: Thread) -> list[dict[str, Any]]:
    """By purpose: ``calls``, ``tokens``, ``cost`` (US dollars; None: a price is missing) and
    ``is_estimated``. One query."""
    sums = cost_by_purpose(thread.organisation_id, thread.pk)
    return [
        {
            "purpose": Purpose(purpose).label.lower() if purpose in Purpose.values else purpose,
            "calls": found.calls,
            "tokens": found.tokens,
            "cost": None if found.is_missing else found.cost,
            "is_estimated": found.is_estimated and found.cost > 0,
        }
        for purpose, found in sums.items()
    ]


def _earlier(page: MessagePage) -> str | None:
    return page.continue_cursor if not page.is_done else None


def _calls_of(
    thread: Thread, messages: Sequence[Message]
) -> tuple[dict[UUID, list[AICall]], dict[UUID, list[AICall]]]:
    """Model calls by message and by turn, oldest first, without their raw values."""
    turns = {message.turn_id for message in messages if message.turn_id}
    keys = [message.pk for message in messages]
    calls = (
        AICall.objects.filter(Q(turn_id__in=turns) | Q(message_id__in=keys), thread_id=thread.pk)
        .exclude(purpose=Purpose.PLAYGROUND)
        .defer("request", "response")
        .order_by("created_at", "pk")
    )
    by_message: dict[UUID, list[AICall]] = defaultdict(list)
    by_turn: dict[UUID, list[AICall]] = defaultdict(list)
    for call in with_costs(calls):
        if call.message_id:
            by_message[call.message_id].append(call)
        if call.turn_id:
            by_turn[call.turn_id].append(call)
    return by_message, by_turn


def _entry(message: Message, calls: list[AICall]) -> Entry:
    parts = message.parts
    sources = [part.to_json() for part in parts if isinstance(part, SourcePart)]
    return Entry(
        message=message,
        figures=Figures.of(calls) if calls else None,
        reasoning=[
            part.text or "(kept back by the provider)"
            for part in parts
            if isinstance(part, ReasoningPart)
        ],
        sources=[each for each in (*sources, *message.sources) if isinstance(each, dict)],
        files=[part.filename or part.media_type for part in parts if isinstance(part, FilePart)],
    )


def _totals(entries: list[Entry], by_turn: dict[UUID, list[AICall]]) -> list[TurnTotal]:
    found: dict[UUID, TurnTotal] = {}
    for entry in entries:
        turn = entry.message.turn
        if turn is not None and turn.pk not in found:
            found[turn.pk] = TurnTotal(turn, Figures.of(by_turn.get(turn.pk, [])))
    return list(found.values())


def stored_answer(turn: Turn) -> Entry:
    """What the past turn said, with what it took."""
    calls = (
        AICall.objects.filter(thread_id=turn.thread_id, turn_id=turn.pk)
        .defer("request", "response")
        .order_by("created_at", "pk")
    )
    said = turn.messages.filter(status__in=[MessageStatus.SUCCESS, MessageStatus.FAILED])
    message = said.exclude(kind="tool").in_order().last() or turn.message
    return _entry(message, with_costs(calls))


def latest_trials(
    organisation: Organisation, kind: str, *, thread: Thread | None = None
) -> list[Trial]:
    """The newest first, of one thread or of none in particular."""
    trials = Trial.objects.filter(organisation=organisation, kind=kind)
    if thread is not None:
        trials = trials.filter(thread=thread)
    elif kind == "run":
        trials = trials.filter(thread=None)
    return list(trials.select_related("created_by", "input_set").order_by("-created_at")[:TRIALS])
