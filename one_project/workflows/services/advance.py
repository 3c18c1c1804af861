"""One turn of a run: give it its results, let the function go on, write down what it begins.

A turn is one transaction with the run's row locked. A transaction step is executed inside it, so
that its effect, its journal row and the progress of the run are one; each gets a turn of its own,
so that no lock is held for longer than one of them takes.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from one_project.workflows.bell import ring_on_commit
from one_project.workflows.conf import (
    LEASE,
    MAX_PICKUPS,
    MAX_RESULT,
)
from one_project.workflows.definitions import find_workflow
from one_project.workflows.engine.replay import Entry, Replay
from one_project.workflows.errors import (
    DeterminismError,
    TooLarge,
    UnknownDefinition,
)
from one_project.workflows.models import RunStatus, WorkflowRun, WorkItem
from one_project.workflows.services.cache import Kept, forget, keep, recall
from one_project.workflows.services.ending import end_run
from one_project.workflows.services.outcomes import failure_of
from one_project.workflows.services.settle import (
    checked,
    record,
    record_step,
    retry_delay,
    settle,
)
from one_project.workflows.services.turn import (
    Turn,
    count,
    deliver_settled,
    due_transactions,
    execute,
    from_journal,
    no_database,
    take_commands,
)
from one_project.workflows.sizes import checked_size
from one_project.workflows.types import Claimed, Failure, Host, Outcome

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Call:
    """What a turn is called for, and what it leaves to its caller."""

    run_id: UUID
    host: Host | None = None
    picked_up: bool = False
    settling: tuple[Claimed, Outcome] | None = None
    recorded: bool = False
    taken: list[Claimed] = field(default_factory=list)


def advance(run_id: UUID, *, picked_up: bool = False, host: Host | None = None) -> list[Claimed]:
    """Turns of the run until nothing more can be done now, here or by whoever has it.

    ``picked_up``: the sweep brings it, so its transaction steps that wait for a retry are looked
    at, too, and the pick-up counts against the run until it makes progress. Returns the actions
    that are claimed for ``host``.
    """
    if picked_up and not _pick_up(run_id):
        return []
    call = _Call(run_id, host, picked_up)
    _turns(call)
    return call.taken


_PICK_UP = """
    UPDATE workflows_workflowrun
       SET pokes = pokes + 1,
           poke_at = statement_timestamp() + least(%s * power(2, pokes), 300) * interval '1 second'
     WHERE id IN (
        SELECT id FROM workflows_workflowrun AS run
         WHERE id = %s AND status = 'running'
           AND (poke_at <= statement_timestamp()
                OR EXISTS (SELECT 1 FROM workflows_workitem AS item
                            WHERE item.run_id = run.id AND item.status = 'waiting'
                              AND item.kind = 'transaction'
                              AND item.poke_at <= statement_timestamp()))
           FOR UPDATE SKIP LOCKED)
"""


def _pick_up(run_id: UUID) -> bool:
    """Count it, and commit that, before anything is executed: so a run that fells its workers is
    found out. False when somebody else is at it or nothing is due any more."""
    with connection.cursor() as cursor:
        cursor.execute(_PICK_UP, [LEASE, run_id])
        return bool(cursor.rowcount)


def settle_and_advance(
    work: Claimed, outcome: Outcome, host: Host | None = None
) -> tuple[bool, list[Claimed]]:
    """Record the attempt at a step and let its run go on, in one transaction where nobody has it.

    Returns whether it was recorded (not when it is ours no more) and what ``advance`` returns.
    """
    if work.run_id is None:
        return settle(work, outcome), []
    call = _Call(work.run_id, host, settling=(work, outcome))
    more = _turn(call)
    if more is None and not call.recorded:
        # Somebody else has the run, or it is paused: record first, then look who goes on.
        call.recorded = settle(work, outcome)
        more = True
    call.settling = None
    if call.recorded:
        _turns(call, more)
    return call.recorded, call.taken


def _turns(call: _Call, more: bool | None = True) -> None:
    """Until nothing is left. What has been claimed is for the caller, whatever fails after it."""
    try:
        # Who settles a step commits first and tries for the run then. So either they got it, or
        # we, who had it, see here what they have left.
        while more or (more is not None and _has_results(call.run_id)):
            more = _turn(call)
            call.picked_up = False
    except DatabaseError as error:
        if not call.taken and not call.recorded:
            raise
        logger.warning("run %s goes on with the next sweep: %s", call.run_id, error)


def _has_results(run_id: UUID) -> bool:
    return WorkItem.objects.unsettled().filter(run=run_id).exists()


def _turn(call: _Call) -> bool | None:
    """One transaction. True: there is more to do; None: locked, paused or gone."""
    live = recall(call.run_id)
    try:
        with transaction.atomic():
            locked = _lock(call.run_id)
            if locked is None:
                return None
            generation, pokes, now = locked
            if live is None or live.run.generation != generation:
                live = None
            run = live.run if live else WorkflowRun.objects.get(pk=call.run_id)
            run.pokes = pokes
            more, taken = _locked_turn(run, live.replay if live else None, now, call)
    except BaseException:
        # What the function has done since is not what the database has.
        forget(call.run_id)
        raise
    call.taken += taken
    return more


_LOCK = """
    SELECT generation, pokes, clock_timestamp() FROM workflows_workflowrun
     WHERE id = %s AND status = 'running' FOR UPDATE SKIP LOCKED
"""


def _lock(run_id: UUID) -> tuple[int, int, datetime] | None:
    """Lock the run: its generation, its pick-ups and the time by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [run_id])
        found: tuple[int, int, datetime] | None = cursor.fetchone()
        return found


def _locked_turn(
    run: WorkflowRun, replay: Replay | None, now: datetime, call: _Call
) -> tuple[bool | None, list[Claimed]]:
    if call.picked_up and _too_often(run):
        return False, []
    try:
        entry = _settled_now(run, call)
        if call.settling and not call.recorded:
            return False, []
        if replay is None:
            replay, entry = from_journal(run), None  # the journal has it already
        turn = Turn(run, replay, now, call.host)
        # The settled row is locked until the commit, and with it the renewal of all leases of
        # this process: no time for a transaction step.
        turn.executed = call.settling is not None
        turn.changed = run.generation == 0 or call.recorded
        _go_on(turn, entry, call)
        if turn.replay.ended:
            _finish(turn)
            return False, []
    except UnknownDefinition as error:
        _wait_for_code(run, error)
        return None, []
    except DatabaseError:
        raise
    except Exception as error:
        # Code that changed, arguments that do not fit it any more, a journal that is too large:
        # nothing that another turn would mend.
        forget(run.pk)
        if not isinstance(error, (DeterminismError, TooLarge)):
            logger.exception("run %s cannot go on", run.pk)
        end_run(run, RunStatus.ERROR, failure=failure_of(error))
        return False, []
    return _suspend(turn), turn.taken


def _go_on(turn: Turn, entry: Entry | None, call: _Call) -> None:
    if entry is not None:
        with no_database():
            turn.replay.deliver(entry)
    if call.settling is None:
        deliver_settled(turn)
    if call.picked_up:
        for row in due_transactions(turn)[:1]:
            execute(turn, row)
    take_commands(turn)


def _settled_now(run: WorkflowRun, call: _Call) -> Entry | None:
    """Record the attempt this turn is called for; the entry, if the step has come to its end."""
    if call.settling is None:
        return None
    work, outcome = call.settling
    outcome = checked(work.name, outcome)
    if retry_delay(work.retry, work.attempt, outcome) is not None:
        call.recorded = record(work, outcome)
        return None
    entry = record_step(work, outcome, seq=run.settled + 1)
    if entry is not None:
        call.recorded = True
        run.settled += 1
        count(run, entry.result)
    return entry


_PROGRESS = """
    UPDATE workflows_workflowrun
       SET generation = %s, settled = %s, journal_bytes = %s, poke_at = %s, pokes = %s,
           updated_at = clock_timestamp()
     WHERE id = %s
"""


def _suspend(turn: Turn) -> bool:
    run, more = turn.run, bool(turn.held)
    turn.replay.put_back(turn.held)
    if more:
        # Should this process die, the sweep finds it.
        run.poke_at = turn.now + timedelta(seconds=LEASE)
    else:
        run.poke_at = None
        run.pokes = 0
    if turn.changed:
        run.generation += 1
        run.pokes = 0
    with connection.cursor() as cursor:
        values = [run.generation, run.settled, run.journal_bytes, run.poke_at, run.pokes, run.pk]
        cursor.execute(_PROGRESS, values)
    if turn.readied:
        ring_on_commit()
    _keep_after_commit(run, turn.replay)
    return more


def _keep_after_commit(run: WorkflowRun, replay: Replay) -> None:
    transaction.on_commit(lambda: keep(Kept(run, replay)))


def _finish(turn: Turn) -> None:
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
    fields = ["settled", "journal_bytes", "poke_at", "pokes", "updated_at"]
    run.save(update_fields=fields)


def _too_often(run: WorkflowRun) -> bool:
    if run.pokes <= MAX_PICKUPS:
        return False
    message = f"It was picked up {run.pokes} times and never came to an end of its turn."
    end_run(run, RunStatus.ERROR, failure=Failure(kind="Poison", message=message))
    return True
