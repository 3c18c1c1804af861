"""One turn of a run: give it its results, let the function go on, write down what it begins.

A turn is one transaction with the run's row locked. A transaction step is executed inside it, so
that its effect, its journal row and the progress of the run are one; each gets a turn of its own,
so that no lock is held for longer than one of them takes.
"""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from one_project.workflows.bell import ring_on_commit
from one_project.workflows.conf import (
    DEFAULT_POOL,
    LEASE,
    MAX_ARGUMENTS,
    MAX_ERROR,
    MAX_JOURNAL,
    MAX_PICKUPS,
    MAX_RESULT,
)
from one_project.workflows.definitions import find_step, find_workflow
from one_project.workflows.engine.replay import Command, Entry, Replay
from one_project.workflows.errors import (
    DeterminismError,
    NonRetryable,
    TooLarge,
    TryLater,
    UnknownDefinition,
)
from one_project.workflows.models import RunStatus, WorkflowEvent, WorkflowRun, WorkItem
from one_project.workflows.services.cache import forget, keep, recall
from one_project.workflows.services.ending import cancel_steps, end_run
from one_project.workflows.services.settle import checked, retry_delay
from one_project.workflows.services.work import due_at
from one_project.workflows.sizes import checked_size, size_of
from one_project.workflows.types import Failure, Kind, Outcome, Retry, Status

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Turn:
    """What one transaction does to a run."""

    run: WorkflowRun
    replay: Replay
    changed: bool = False
    readied: bool = False  # there are actions that a worker can take
    executed: bool = False  # a transaction step; one per turn
    held: list[Command] = field(default_factory=list)  # transaction steps for the next turns


def advance(run_id: UUID, *, picked_up: bool = False) -> bool:
    """Turns of the run until nothing more can be done now; False when somebody else does them.

    ``picked_up``: the sweep brings it, so its transaction steps that wait for a retry are looked
    at, too, and the pick-up counts against the run until it makes progress.
    """
    while True:
        more = _turn(run_id, picked_up=picked_up)
        if more is None:
            return False
        # Who settles a step commits first and tries for the run then. So either they got it, or
        # we, who had it, see here what they have left.
        if not more and not WorkItem.objects.unsettled().filter(run=run_id).exists():
            return True
        picked_up = False


def _turn(run_id: UUID, *, picked_up: bool) -> bool | None:
    """One transaction. True: there is more to do; None: locked, paused or gone."""
    live = recall(run_id)
    try:
        with transaction.atomic():
            run = (
                WorkflowRun.objects.select_for_update(skip_locked=True, of=("self",))
                .filter(pk=run_id, status=RunStatus.RUNNING)
                .first()
            )
            if run is None:
                return None
            replay = live[1] if live and live[0] == run.generation else None
            return _locked_turn(run, replay, picked_up)
    except BaseException:
        # What the function has done since is not what the database has.
        forget(run_id)
        raise


def _locked_turn(run: WorkflowRun, replay: Replay | None, picked_up: bool) -> bool:
    if picked_up and _too_often(run):
        return False
    try:
        turn = _Turn(run, replay or _from_journal(run), changed=run.generation == 0)
        _deliver_settled(turn)
        if picked_up:
            for row in _due_transactions(run)[:1]:
                _execute(turn, row)
        _take_commands(turn)
        if turn.replay.ended:
            _finish(turn)
            return False
    except UnknownDefinition as error:
        _wait_for_code(run, error)
        return False
    except DatabaseError:
        raise
    except Exception as error:
        # Code that changed, arguments that do not fit it any more, a journal that is too large:
        # nothing that another turn would mend.
        forget(run.pk)
        if not isinstance(error, (DeterminismError, TooLarge)):
            logger.exception("run %s cannot go on", run.pk)
        end_run(run, RunStatus.ERROR, failure=failure_of(error))
        return False
    return _suspend(turn)


def _suspend(turn: _Turn) -> bool:
    run, more = turn.run, bool(turn.held)
    turn.replay.put_back(turn.held)
    if more:
        # Should this process die, the sweep finds it.
        run.poke_at = timezone.now() + timedelta(seconds=LEASE)
    else:
        run.poke_at = None
        run.pokes = 0
    if turn.changed:
        run.generation += 1
        run.pokes = 0
    run.save(
        update_fields=["generation", "settled", "journal_bytes", "poke_at", "pokes", "updated_at"]
    )
    if turn.readied:
        ring_on_commit()
    _keep_after_commit(run, turn.replay)
    return more


def _keep_after_commit(run: WorkflowRun, replay: Replay) -> None:
    generation = run.generation
    transaction.on_commit(lambda: keep(run.pk, generation, replay))


def _from_journal(run: WorkflowRun) -> Replay:
    definition = find_workflow(run.workflow, run.version)
    journal = [_entry(row) for row in WorkItem.objects.filter(run=run).order_by("n")]
    replay = Replay(definition, run.pk, run.created_at, run.arguments, journal)
    with _no_database():
        replay.start()
    return replay


def _deliver_settled(turn: _Turn) -> None:
    settled = list(WorkItem.objects.unsettled().filter(run=turn.run).order_by("finished_at", "n"))
    for row in settled:
        _deliver(turn, row)
    if settled:
        WorkItem.objects.bulk_update(settled, ["settled_seq"], batch_size=500)


def _deliver(turn: _Turn, row: WorkItem) -> None:
    """Give the function a result; the caller saves the row's ``settled_seq``."""
    run = turn.run
    run.settled += 1
    row.settled_seq = run.settled
    run.journal_bytes += size_of(row.result)
    turn.changed = True
    if run.journal_bytes > MAX_JOURNAL:
        raise TooLarge(
            f"The journal of this run is too large: more than {MAX_JOURNAL:,} bytes. "
            "Keep large results elsewhere, or divide the work among child workflows."
        )
    with _no_database():
        turn.replay.deliver(_entry(row))


def _take_commands(turn: _Turn) -> None:
    """Write down what the function has begun and given up, until it does nothing more."""
    while not turn.replay.ended:
        commands, canceled = turn.replay.take()
        if not commands and not canceled and (turn.executed or not turn.held):
            return
        turn.changed = True
        rows = []
        for command in commands:
            row = _row_of(turn, command)
            if command.kind == Kind.TRANSACTION and row.poke_at is None:
                turn.held.append(command)
            else:
                rows.append((command, row))
        WorkItem.objects.bulk_create([row for _, row in rows], batch_size=500)
        for command, row in rows:
            _begin(turn, command, row)
        _give_up(turn, canceled)
        if turn.held and not turn.executed:
            _execute(turn, _row_of(turn, turn.held.pop(0)))


def _row_of(turn: _Turn, command: Command) -> WorkItem:
    run = turn.run
    size = checked_size(command.arguments, MAX_ARGUMENTS, f"The arguments of step {command.name}")
    run.journal_bytes += size
    row = WorkItem(
        organisation_id=run.organisation_id,
        run=run,
        n=command.n,
        kind=command.kind,
        name=command.name,
        function=command.function,
        arguments=command.arguments,
        priority=run.priority,
        status=Status.WAITING,
        poke_at=command.until,
    )
    if command.delay is not None:
        row.poke_at = timezone.now() + timedelta(seconds=command.delay)
    if command.step is not None:
        options = command.step.call_options
        default = find_workflow(run.workflow, run.version).retry
        retry = default if options.retry is None else Retry.of(options.retry)
        row.retry = retry.to_json() if retry else None
        row.timeout, row.lease = options.timeout, command.step.lease
        row.pool = options.pool or DEFAULT_POOL
        row.priority = options.priority or run.priority
        row.poke_at = due_at(options.run_after, options.run_at)
        if command.kind == Kind.ACTION and row.poke_at is None:
            row.status = Status.READY
    return row


def _begin(turn: _Turn, command: Command, row: WorkItem) -> None:
    if command.kind == Kind.ACTION:
        turn.readied = turn.readied or row.status == Status.READY
    elif command.kind == Kind.WORKFLOW and command.child is not None:
        from one_project.workflows.services.runs import start_child

        start_child(turn.run, row, command.child)
    elif command.kind == Kind.EVENT:
        consume_event(turn.run, row)


def consume_event(run: WorkflowRun, step: WorkItem) -> bool:
    """Give the waiting step the oldest event of its name, if there is one (T-W12)."""
    event = WorkflowEvent.objects.filter(run=run, name=step.name, step=None).order_by("pk").first()
    if event is None:
        return False
    event.step = step
    event.save(update_fields=["step"])
    step.status = Status.ERROR if event.error else Status.SUCCESS
    step.result = event.payload
    step.error = Failure(kind="EventError", message=event.error).to_json() if event.error else None
    step.finished_at, step.poke_at = timezone.now(), None
    step.save(update_fields=["status", "result", "error", "finished_at", "poke_at"])
    return True


def _give_up(turn: _Turn, canceled: list[int]) -> None:
    if not canceled:
        return
    held = [command for command in turn.held if command.n in canceled]
    turn.held = [command for command in turn.held if command.n not in canceled]
    WorkItem.objects.bulk_create(_row_of(turn, command) for command in held)
    rows = WorkItem.objects.open().filter(run=turn.run, n__in=canceled).order_by("n")
    given_up = cancel_steps(list(rows.select_for_update()))
    for row in given_up:
        _deliver(turn, row)
    WorkItem.objects.bulk_update(given_up, ["settled_seq"])


def _due_transactions(run: WorkflowRun) -> list[WorkItem]:
    rows = WorkItem.objects.filter(run=run, kind=Kind.TRANSACTION, status=Status.WAITING)
    now = timezone.now()
    return [row for row in rows.order_by("n") if row.poke_at is None or row.poke_at <= now]


def _execute(turn: _Turn, row: WorkItem) -> None:
    """A transaction step: its effects, its journal row and this turn are one transaction."""
    turn.executed = turn.changed = True
    definition = find_step(row.function)
    row.attempt += 1
    row.started_at = row.started_at or timezone.now()
    try:
        with transaction.atomic():
            arguments = definition.signature.load(row.arguments)
            value = definition.function(**arguments)
            result = definition.signature.dump_result(value)
            outcome = Outcome(status=Status.SUCCESS, result=result)
    except Exception as error:
        if isinstance(error, DatabaseError) and connection.needs_rollback:
            raise  # a deadlock or a lost connection: the whole turn is done again
        outcome = outcome_of(error)
    outcome = checked(row.name, outcome)
    delay = retry_delay(row.retry, row.attempt, outcome)
    row.error = outcome.failure.to_json() if outcome.failure else None
    if delay is not None:
        row.poke_at = timezone.now() + timedelta(seconds=delay)
        row.attempt -= outcome.put_off is not None
        row.save()
        return
    row.status, row.result = outcome.status, outcome.result
    row.poke_at, row.finished_at = None, timezone.now()
    _deliver(turn, row)
    row.save()


def outcome_of(error: BaseException) -> Outcome:
    """A failed attempt, with the traceback for staff."""
    retryable = not isinstance(error, NonRetryable)
    put_off = error.seconds if isinstance(error, TryLater) else None
    failure = failure_of(error)
    return Outcome(status=Status.ERROR, failure=failure, retryable=retryable, put_off=put_off)


def failure_of(error: BaseException) -> Failure:
    trace = "".join(traceback.format_exception(error))
    kind = getattr(error, "kind", "") or type(error).__name__
    return Failure(kind=kind, message=str(error)[:2000], traceback=trace[-MAX_ERROR:])


def _finish(turn: _Turn) -> None:
    forget(turn.run.pk)
    try:
        value = turn.replay.value
    except Exception as error:
        end_run(turn.run, RunStatus.ERROR, failure=failure_of(error))
        return
    finally:
        turn.replay.close()
    definition = find_workflow(turn.run.workflow, turn.run.version)
    try:
        result = definition.signature.dump_result(value)
        checked_size(result, MAX_RESULT, "The result of this run")
    except Exception as error:
        end_run(turn.run, RunStatus.ERROR, failure=failure_of(error))
    else:
        end_run(turn.run, RunStatus.SUCCESS, result=result)


def _wait_for_code(run: WorkflowRun, error: UnknownDefinition) -> None:
    """Its code is not here: during a deploy another worker may have it; so look again later."""
    logger.warning("run %s waits: %s", run.pk, error)
    run.poke_at = timezone.now() + timedelta(seconds=10)
    run.pokes = 0
    run.save(update_fields=["poke_at", "pokes", "updated_at"])


def _too_often(run: WorkflowRun) -> bool:
    if run.pokes <= MAX_PICKUPS:
        return False
    message = f"It was picked up {run.pokes} times and never came to an end of its turn."
    end_run(run, RunStatus.ERROR, failure=Failure(kind="Poison", message=message))
    return True


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
def _no_database() -> Iterator[None]:
    """A workflow function only decides; what it reads would be different on replay."""

    def refuse(execute: Callable[..., Any], *args: Any) -> Any:
        raise RuntimeError("a workflow function does not use the database; do it in a step")

    with connection.execute_wrapper(refuse):
        yield
