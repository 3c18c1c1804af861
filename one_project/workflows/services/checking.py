"""Would what is open go on with the code at hand? Replays without writing anything.

Run it with the new code before old workers are stopped: what it reports needs a new version of its
workflow, or the old code back.
"""

import inspect
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from one_project.workflows.definitions import find_step
from one_project.workflows.errors import UnknownDefinition
from one_project.workflows.models import WorkflowRun, WorkItem
from one_project.workflows.services.turn import from_journal
from one_project.workflows.types import Kind

CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A run or a piece of work that would fail, or would wait for ever."""

    id: UUID
    what: str  # run or work
    name: str
    kind: str
    message: str

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "id": str(self.id)}


@dataclass(slots=True)
class Report:
    """What was looked at and what was found."""

    runs: int
    work: int
    problems: list[Problem]


def check_open() -> Report:
    """Look at all open runs and all open work."""
    report = Report(runs=0, work=0, problems=[])
    for run in _in_chunks(WorkflowRun):
        report.runs += 1
        report.problems += _problems_of_run(run)
    for item in _in_chunks(WorkItem):
        report.work += 1
        report.problems += _problems_of_work(item)
    return report


def _in_chunks(model: Any) -> Iterator[Any]:
    """Open rows by id, in statements that end: nothing is held while they are looked at."""
    rows = model.objects.open().order_by("pk")
    if model is WorkItem:
        rows = rows.filter(kind__in=[Kind.ACTION, Kind.TRANSACTION])
    found = list(rows[:CHUNK])
    while found:
        yield from found
        found = list(rows.filter(pk__gt=found[-1].pk)[:CHUNK])


def _problems_of_run(run: WorkflowRun) -> Iterator[Problem]:
    name = f"{run.workflow} v{run.version}"
    try:
        # A turn is one transaction, so a journal read at once is that of the end of a turn.
        replay = from_journal(run)
    except DatabaseError:
        raise
    except Exception as error:
        yield _problem(run, "run", name, error)
    else:
        with suppress(Exception):
            replay.close()
    yield from _problem_of_completion(run, "run", name)


def _problems_of_work(item: WorkItem) -> Iterator[Problem]:
    try:
        step = find_step(item.function)
        inspect.signature(step.function).bind(**step.signature.load(item.arguments))
    except Exception as error:
        yield _problem(item, "work", item.function, error)
    yield from _problem_of_completion(item, "work", item.function)


def _problem_of_completion(row: WorkflowRun | WorkItem, what: str, name: str) -> Iterator[Problem]:
    if row.on_complete:
        try:
            find_step(row.on_complete)
        except UnknownDefinition as error:
            yield _problem(row, what, name, error)


def _problem(row: WorkflowRun | WorkItem, what: str, name: str, error: Exception) -> Problem:
    return Problem(id=row.pk, what=what, name=name, kind=type(error).__name__, message=str(error))
