"""Reading runs and their steps in pages, for pages, programs and figures.

Cursors are opaque to callers: they name the last row seen, so pages stay right while new rows
arrive. Nothing here reads more than a page or counts further than a limit, however many runs and
steps there are. The caller brings runs that the asker may see (``access``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Left
from django.utils import timezone

from one_project.common.cursors import read_moment, read_numbers, write_cursor
from one_project.common.errors import InvalidInput
from one_project.workflows.errors import WorkflowNotFound
from one_project.workflows.models import RunStatus, WorkflowEvent, WorkflowRun, WorkItem
from one_project.workflows.models.runs import WorkflowRunQuerySet
from one_project.workflows.models.work import WorkItemQuerySet
from one_project.workflows.services.ending import NEVER
from one_project.workflows.types import Kind, Status

DEFAULT_PAGE = 100
COUNT_LIMIT = 1000  # counts go no further: what is above is shown as "1000+"
NAMES_FROM = 1000  # the newest runs whose names are offered as a filter


@dataclass(frozen=True, slots=True)
class RunPage:
    """``page`` in the order asked for; pass ``continue_cursor`` on until ``is_done``."""

    page: list[WorkflowRun]
    is_done: bool
    continue_cursor: str | None


@dataclass(frozen=True, slots=True)
class StepEntry:
    """A step, the run it started and the event it consumed.

    The texts are the beginnings of its arguments and result as JSON where shortened ones were
    asked for; else empty.
    """

    step: WorkItem
    child_id: UUID | None
    event_id: UUID | None
    arguments_text: str = ""
    result_text: str = ""


@dataclass(frozen=True, slots=True)
class StepPage:
    """As RunPage, by number."""

    page: list[StepEntry]
    is_done: bool
    continue_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Where a run stands: its result or error once it has ended, until then its open steps."""

    id: UUID
    status: str
    generation: int
    result: Any
    error: str
    open_steps: list[WorkItem]


def run_status(run: WorkflowRun) -> RunReport:
    """Where the run stands now. Raises WorkflowNotFound when it is gone (WF-20)."""
    now = WorkflowRun.objects.filter(pk=run.pk).first()
    if now is None:
        raise WorkflowNotFound
    steps = WorkItem.objects.open().filter(run=now).defer("arguments", "result").order_by("n")
    return RunReport(
        id=now.pk,
        status=now.status,
        generation=now.generation,
        result=now.result,
        error=str((now.error or {}).get("message", "")),
        open_steps=list(steps[:DEFAULT_PAGE]) if now.is_open else [],
    )


def list_runs(
    runs: WorkflowRunQuerySet,
    *,
    name: str = "",
    state: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str | None = None,
    page_size: int = DEFAULT_PAGE,
    newest_first: bool = True,
) -> RunPage:
    """A page of ``runs`` by creation; each carries ``reason``, the beginning of its error message.

    Raises InvalidInput for a state or a cursor that is none.
    """
    runs = _narrowed(runs, name, state, since, until)
    if cursor:
        at, run_id = read_moment(cursor)
        beyond = (
            Q(created_at__lt=at) | Q(created_at=at, pk__lt=run_id)
            if newest_first
            else Q(created_at__gt=at) | Q(created_at=at, pk__gt=run_id)
        )
        runs = runs.filter(beyond)
    ordering = ["-created_at", "-pk"] if newest_first else ["created_at", "pk"]
    size = max(page_size, 0)
    shown = (
        runs.annotate(reason=Left(KT("error__message"), 200))
        .defer("arguments", "result", "context", "error")
        .select_related("started_by")
    )
    rows = list(shown.order_by(*ordering)[: size + 1])
    page, more = rows[:size], len(rows) > size
    last = page[-1] if page else None
    following = write_cursor(last.created_at, last.pk) if more and last else None
    return RunPage(page, is_done=not more, continue_cursor=following)


def _narrowed(
    runs: WorkflowRunQuerySet, name: str, state: str, since: datetime | None, until: datetime | None
) -> WorkflowRunQuerySet:
    if state and state not in RunStatus.values:
        raise InvalidInput("There is no such state of a workflow.")
    asked = {"workflow": name, "status": state, "created_at__gte": since, "created_at__lt": until}
    return runs.filter(**{field: value for field, value in asked.items() if value})


def count_by_state(runs: WorkflowRunQuerySet) -> dict[str, int]:
    """How many runs are in each state, counted up to COUNT_LIMIT + 1."""
    return {
        state: runs.filter(status=state).order_by()[: COUNT_LIMIT + 1].count()
        for state in RunStatus.values
    }


def throughput(runs: WorkflowRunQuerySet, minutes: float = 1.0) -> int:
    """How many runs ended in the last minutes, counted up to COUNT_LIMIT + 1."""
    since = timezone.now() - timedelta(minutes=minutes)
    return runs.filter(finished_at__gte=since).order_by()[: COUNT_LIMIT + 1].count()


def names_in_use(runs: WorkflowRunQuerySet) -> list[str]:
    """The names of the newest runs, sorted."""
    newest = runs.order_by("-created_at").values_list("workflow", flat=True)[:NAMES_FROM]
    return sorted(set(newest))


def open_runs_by_state() -> dict[str, int]:
    """The installation's runs that go on or are paused, for a scraper."""
    rows = WorkflowRun.objects.open().order_by().values_list("status").annotate(Count("pk"))
    found = dict(rows)
    return {state: found.get(state, 0) for state in (RunStatus.RUNNING, RunStatus.PAUSED)}


def runs_ended(minutes: float = 1.0) -> dict[str, int]:
    """How many of the installation's runs ended in the last minutes, by how; for a scraper."""
    since = timezone.now() - timedelta(minutes=minutes)
    ended = WorkflowRun.objects.finished().filter(finished_at__gte=since).order_by()
    found = dict(ended.values_list("status").annotate(Count("pk")))
    states = (RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.CANCELED)
    return {state: found.get(state, 0) for state in states}


def list_steps(
    run: WorkflowRun,
    cursor: str | None = None,
    *,
    page_size: int = DEFAULT_PAGE,
    newest_first: bool = False,
    shorten_to: int = 0,
    only: Iterable[int] | None = None,
) -> StepPage:
    """A page of the run's journal by number, with child runs and events (WF-20).

    ``shorten_to``: so many characters of arguments and results as text, in place of the values.
    ``only``: steps of the page with these numbers. Raises InvalidInput for a cursor that is none.
    """
    numbers = step_states(run, cursor, page_size=page_size + 1, newest_first=newest_first)
    more = len(numbers) > page_size
    shown = [n for n, _, _ in numbers[:page_size]]
    wanted = set(shown) if only is None else set(shown) & set(only)
    steps = WorkItem.objects.filter(run=run, n__in=wanted).annotate(
        child_run=F("child__id"), event_of=F("event__id")
    )
    if shorten_to:
        steps = steps.defer("arguments", "result", "context").annotate(
            arguments_text=Left(Cast("arguments", TextField()), shorten_to),
            result_text=Left(Cast("result", TextField()), shorten_to),
        )
    page = [_entry(step) for step in steps.order_by("-n" if newest_first else "n")]
    following = write_cursor(shown[-1]) if more and shown else None
    return StepPage(page, is_done=not more, continue_cursor=following)


def _entry(step: Any) -> StepEntry:
    return StepEntry(
        step=step,
        child_id=step.child_run,
        event_id=step.event_of,
        arguments_text=getattr(step, "arguments_text", "") or "",
        result_text=getattr(step, "result_text", "") or "",
    )


def step_states(
    run: WorkflowRun,
    cursor: str | None = None,
    *,
    page_size: int = DEFAULT_PAGE,
    newest_first: bool = False,
) -> list[tuple[int, str, int]]:
    """Number, status and attempt of the steps of a page: what tells whether it changed."""
    steps: WorkItemQuerySet = WorkItem.objects.filter(run=run, n__isnull=False)
    if cursor:
        [seen] = read_numbers(cursor, 1)
        steps = steps.filter(n__lt=seen) if newest_first else steps.filter(n__gt=seen)
    ordered = steps.order_by("-n" if newest_first else "n")
    rows = ordered.values_list("n", "status", "attempt")[: max(page_size, 0)]
    return [(n or 0, status, attempt) for n, status, attempt in rows]


def step_count(run: WorkflowRun) -> int:
    """How many steps the run has begun."""
    return WorkItem.objects.filter(run=run).count()


def first_failed_step(run: WorkflowRun) -> int | None:
    """The first step without a result, where a retry begins; None when all have one.

    A step that the function itself gave up (the loser of a race) was settled as canceled and is
    part of the history; one that was canceled with the run was not.
    """
    failed = Q(status__in=[Status.ERROR, Status.UNKNOWN])
    canceled = Q(status=Status.CANCELED, settled_seq=NEVER)
    steps = WorkItem.objects.filter(failed | canceled, run=run)
    return steps.order_by("n").values_list("n", flat=True).first()


def list_events(run: WorkflowRun, limit: int = DEFAULT_PAGE) -> list[WorkflowEvent]:
    """The newest events sent to the run, newest first; ``payload_text`` is how they begin."""
    events = WorkflowEvent.objects.filter(run=run).select_related(None)
    shown = events.defer("payload").annotate(
        payload_text=Left(Cast("payload", TextField()), 1000), consumed_by=F("step__n")
    )
    return list(shown.order_by("-pk")[:limit])


def event_counts(run: WorkflowRun) -> tuple[int, int]:
    """How many events were sent, and how many of them consumed, up to COUNT_LIMIT."""
    events = WorkflowEvent.objects.filter(run=run).order_by()
    return events[:COUNT_LIMIT].count(), events.exclude(step=None)[:COUNT_LIMIT].count()


def awaited_events(run: WorkflowRun) -> list[str]:
    """The names of events the run waits for now, at most 20."""
    waiting = WorkItem.objects.filter(run=run, kind=Kind.EVENT, status=Status.WAITING)
    return list(waiting.order_by("name").values_list("name", flat=True).distinct()[:20])
