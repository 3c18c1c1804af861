"""What one transaction does to a run whose row is locked: results in, new steps out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import OperationalError, connection, transaction

from one_project.workflows.conf import MAX_JOURNAL
from one_project.workflows.definitions import find_step, find_workflow
from one_project.workflows.engine.replay import Command, Entry, Replay
from one_project.workflows.errors import TooLarge
from one_project.workflows.models import WorkflowRun, WorkItem
from one_project.workflows.services.ending import cancel_steps
from one_project.workflows.services.outcomes import outcome_of
from one_project.workflows.services.settle import checked, number_settled, retry_delay
from one_project.workflows.services.starting import start_child
from one_project.workflows.services.steps import consume_event, release_events, row_of, take_here
from one_project.workflows.sizes import size_of
from one_project.workflows.types import Claimed, Host, Kind, Outcome, Status


@dataclass(slots=True)
class Turn:
    """What one transaction does to a run."""

    run: WorkflowRun
    replay: Replay
    now: datetime
    host: Host | None = None
    changed: bool = False
    readied: bool = False  # there are actions for any worker
    executed: bool = False  # a transaction step; one per turn
    held: list[Command] = field(default_factory=list)  # transaction steps for the next turns
    taken: list[Claimed] = field(default_factory=list)  # actions for this process


def from_journal(run: WorkflowRun) -> Replay:
    definition = find_workflow(run.workflow, run.version)
    journal = [_entry(row) for row in WorkItem.objects.filter(run=run).order_by("n")]
    replay = Replay(definition, run.pk, run.created_at, run.arguments, journal)
    with no_database():
        replay.start()
    return replay


def deliver_settled(turn: Turn) -> None:
    """Give the function what has ended, in the order in which it ended.

    What it gives up on the way is given up before the next result: an event that came for a wait
    which has just lost its race is kept for another one.
    """
    settled = list(WorkItem.objects.unsettled().filter(run=turn.run).order_by("finished_at", "n"))
    given: list[WorkItem] = []
    gone: set[int | None] = set()
    for row in settled:
        if row.n in gone:
            continue
        _deliver(turn, row)
        given.append(row)
        commands, canceled = turn.replay.take()
        unwritten = {command.n for command in commands}
        turn.replay.put_back(commands, [n for n in canceled if n in unwritten])
        gone |= {row.n for row in _give_up(turn, [n for n in canceled if n not in unwritten])}
    number_settled(given)


def _deliver(turn: Turn, row: WorkItem) -> None:
    """Give the function a result; the caller saves the row's ``settled_seq``."""
    turn.run.settled += 1
    row.settled_seq = turn.run.settled
    turn.changed = True
    count(turn.run, row.result)
    with no_database():
        turn.replay.deliver(_entry(row))


def count(run: WorkflowRun, value: Any) -> None:
    run.journal_bytes += size_of(value)
    if run.journal_bytes > MAX_JOURNAL:
        raise TooLarge(
            f"The journal of this run is too large: more than {MAX_JOURNAL:,} bytes. "
            "Keep large results elsewhere, or divide the work among child workflows."
        )


def take_commands(turn: Turn) -> None:
    """Write down what the function has begun and given up, until it does nothing more."""
    while not turn.replay.ended:
        commands, canceled = turn.replay.take()
        if not commands and not canceled and (turn.executed or not turn.held):
            return
        turn.changed = True
        begun: list[tuple[Command, WorkItem]] = []
        for command in commands:
            row = row_of(turn.run, command, turn.now)
            if command.kind == Kind.TRANSACTION and row.poke_at is None:
                turn.held.append(command)
            else:
                begun.append((command, row))
        _write_down(turn, begun)
        _give_up(turn, canceled)
        if turn.held and not turn.executed:
            row = row_of(turn.run, turn.held.pop(0), turn.now)
            count(turn.run, row.arguments)
            execute(turn, row)


def _write_down(turn: Turn, begun: list[tuple[Command, WorkItem]]) -> None:
    rows = [row for _, row in begun]
    for row in rows:
        count(turn.run, row.arguments)
    ready = [row for row in rows if row.status == Status.READY]
    # A pool is locked until the commit: not while a transaction step is still to be executed.
    if ready and turn.host is not None and (turn.executed or not turn.held):
        turn.taken += take_here(ready, turn.host, turn.now)
    WorkItem.objects.bulk_create(rows, batch_size=500)
    turn.readied = turn.readied or any(row.status == Status.READY for row in ready)
    for command, row in begun:
        if command.kind == Kind.WORKFLOW and command.child is not None:
            start_child(turn.run, row, command.child)
        elif command.kind == Kind.EVENT:
            consume_event(turn.run, row)


def _give_up(turn: Turn, canceled: list[int]) -> list[WorkItem]:
    if not canceled:
        return []
    held = [command for command in turn.held if command.n in canceled]
    turn.held = [command for command in turn.held if command.n not in canceled]
    WorkItem.objects.bulk_create(row_of(turn.run, command, turn.now) for command in held)
    steps = WorkItem.objects.filter(run=turn.run, n__in=canceled)
    given_up = [*release_events(steps), *cancel_steps(steps.open())]
    for row in sorted(given_up, key=lambda row: row.n or 0):
        _deliver(turn, row)
    number_settled(given_up)
    return given_up


def due_transactions(turn: Turn) -> list[WorkItem]:
    rows = WorkItem.objects.filter(run=turn.run, kind=Kind.TRANSACTION, status=Status.WAITING)
    return list(rows.filter(poke_at__lte=turn.now).order_by("n"))


def execute(turn: Turn, row: WorkItem) -> None:
    """A transaction step: its effects, its journal row and this turn are one transaction."""
    turn.executed = turn.changed = True
    definition = find_step(row.function)
    row.attempt += 1
    row.started_at = row.started_at or turn.now
    begun = monotonic()
    try:
        with transaction.atomic():
            arguments = definition.signature.load(row.arguments)
            value = definition.function(**arguments)
            result = definition.signature.dump_result(value)
            connection.check_constraints()  # a broken reference is this step's failure
            outcome = Outcome(status=Status.SUCCESS, result=result)
    except OperationalError:
        raise  # a deadlock or a lost connection: the whole turn is done again
    except Exception as error:
        outcome = outcome_of(error)
    outcome = checked(row.name, outcome)
    delay = retry_delay(row.retry, row.attempt, outcome)
    row.error = outcome.failure.to_json() if outcome.failure else None
    if delay is not None:
        row.poke_at = turn.now + timedelta(seconds=delay)
        row.attempt -= outcome.put_off is not None
        row.save()
        return
    row.status, row.result = outcome.status, outcome.result
    row.poke_at = None
    # The turn's time is the database's; what passed since is measured here.
    row.finished_at = turn.now + timedelta(seconds=monotonic() - begun)
    _deliver(turn, row)
    row.save()


def _entry(row: WorkItem) -> Entry:
    return Entry(
        n=row.n or 0,
        kind=row.kind,
        name=row.name,
        function=row.function,
        arguments=row.arguments,
        status=row.status,
        result=row.result,
        error=row.error,
        settled_seq=row.settled_seq,
        finished_at=row.finished_at,
    )


@contextmanager
def no_database() -> Iterator[None]:
    """A workflow function only decides; what it reads would be different on replay."""

    def refuse(execute: Callable[..., Any], *args: Any) -> Any:
        raise RuntimeError("a workflow function does not use the database; do it in a step")

    with connection.execute_wrapper(refuse):
        yield
