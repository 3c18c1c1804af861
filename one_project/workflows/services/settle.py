"""Recording what became of an attempt, by the holder of its token only."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from psycopg.types.json import Jsonb

from one_project.workflows.bell import ring_on_commit, ring_run_on_commit
from one_project.workflows.conf import MAX_RESULT, RETENTION_DAYS
from one_project.workflows.definitions import find_step
from one_project.workflows.engine.replay import Entry
from one_project.workflows.errors import InvalidData, TooLarge
from one_project.workflows.models import WorkItem
from one_project.workflows.services.completion import completed
from one_project.workflows.sizes import checked_size
from one_project.workflows.types import Claimed, Failure, Outcome, Retry, Status


class WorkLost(Exception):
    """The attempt is not ours any more; what it did must not be recorded."""


def checked(name: str, outcome: Outcome) -> Outcome:
    """The outcome, or the failure that its result cannot be stored (WF-23)."""
    if outcome.status == Status.SUCCESS:
        try:
            checked_size(outcome.result, MAX_RESULT, f"The result of {name}")
        except (TooLarge, InvalidData) as error:
            failure = Failure(kind=type(error).__name__, message=str(error))
            return Outcome(status=Status.ERROR, failure=failure, retryable=False)
    return outcome


def settle(work: Claimed, outcome: Outcome) -> bool:
    """Record the outcome of an attempt; False when it was not ours any more.

    A failure that may be retried makes the work wait; an end calls ``on_complete``. Steps of runs
    are given to their run by ``advance``, which the caller does next.
    """
    with transaction.atomic():
        return record(work, outcome)


def record(work: Claimed, outcome: Outcome, *, told: bool = False) -> bool:
    """As ``settle``, in the caller's transaction; ``told``: without calling ``on_complete``."""
    outcome = checked(work.name, outcome)
    delay = retry_delay(work.retry, work.attempt, outcome)
    owned = WorkItem.objects.filter(pk=work.id, token=work.token, status=Status.RUNNING)
    error = outcome.failure.to_json() if outcome.failure else None
    if delay is not None:
        again = timezone.now() + timedelta(seconds=delay)
        put_back = owned.filter(cancel_requested_at=None)
        return bool(
            put_back.update(
                status=Status.WAITING,
                poke_at=again,
                token=None,
                error=error,
                pickups=0,
                attempt=F("attempt") - int(outcome.put_off is not None),
            )
        )
    now = timezone.now()
    ended = owned.update(
        status=outcome.status,
        result=outcome.result,
        error=error,
        token=None,
        poke_at=None,
        finished_at=now,
        purge_at=None if work.run_id else now + timedelta(days=RETENTION_DAYS),
    )
    if ended and work.run_id is None and not told:
        _told(work.id)
    return bool(ended)


_STEP = """
    UPDATE workflows_workitem
       SET status = %s, result = %s, error = %s, settled_seq = %s, token = NULL, poke_at = NULL,
           finished_at = clock_timestamp()
     WHERE id = %s AND token = %s AND status = 'running'
 RETURNING n, finished_at
"""


def record_step(work: Claimed, outcome: Outcome, *, seq: int) -> Entry | None:
    """Record the end of a step whose run the caller has locked, as the ``seq``-th result it gets.

    None when the attempt is not ours any more.
    """
    error = outcome.failure.to_json() if outcome.failure else None
    with connection.cursor() as cursor:
        values: list[Any] = [outcome.status, _json(outcome.result), _json(error), seq]
        cursor.execute(_STEP, [*values, work.id, work.token])
        row = cursor.fetchone()
    if row is None:
        return None
    return Entry(
        n=row[0],
        kind=work.kind,
        name=work.name,
        function=work.function,
        arguments=work.arguments,
        status=outcome.status,
        result=outcome.result,
        error=error,
        settled_seq=seq,
        finished_at=row[1],
    )


def number_settled(rows: Sequence[WorkItem]) -> None:
    """Store the ``settled_seq`` that the rows have been given."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE workflows_workitem AS item SET settled_seq = given.seq"
                " FROM unnest(%s::uuid[], %s::int[]) AS given (id, seq) WHERE item.id = given.id",
                [[row.pk for row in rows], [row.settled_seq for row in rows]],
            )


def _json(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(value, dumps=orjson.dumps)


def finish_work(work: Claimed, result: Any = None) -> None:
    """Record success inside the function's own transaction: its writes and the record are one.

    ``on_complete`` is not called: the function does in this transaction what is to be done.
    Raises WorkLost (and so undoes those writes) when the attempt is not ours any more. What the
    function returns afterwards is ignored.
    """
    result = find_step(work.function).signature.dump_result(result)
    if work.run_id is not None:
        ring_run_on_commit(work.run_id)
    if not record(work, Outcome(status=Status.SUCCESS, result=result), told=True):
        raise WorkLost(f"{work.name} {work.id} belongs to somebody else now")


def execute_transaction(work: Claimed) -> bool:
    """Call a claimed transaction step and record its result in one database transaction.

    Raises WorkLost, and so undoes what it did, when the attempt is not ours any more.
    """
    definition = find_step(work.function)
    arguments = definition.signature.load(work.arguments)
    with transaction.atomic():
        with transaction.atomic():
            value = definition.function(**arguments)
            result = definition.signature.dump_result(value)
            connection.check_constraints()  # a broken reference is this function's failure
        if not record(work, Outcome(status=Status.SUCCESS, result=result)):
            raise WorkLost(f"{work.name} {work.id} belongs to somebody else now")
        return True


def retry_delay(policy: dict[str, Any] | None, attempt: int, outcome: Outcome) -> float | None:
    """Seconds until the next attempt, or None when there is none."""
    if outcome.put_off is not None:
        return outcome.put_off
    if outcome.status != Status.ERROR or not outcome.retryable or not policy:
        return None
    retry = Retry(**policy)
    return retry.delay(attempt) if attempt < retry.attempts else None


def _told(work_id: UUID) -> None:
    row = WorkItem.objects.filter(pk=work_id).exclude(on_complete="").first()
    if row is not None:
        completed(row)


# (``clock_timestamp()`` would keep Postgres from using the index on ``poke_at``. Where the database
# itself was away, living workers get the time of a lease to renew theirs before they are judged.)
# What a vanished worker leaves: tried again where a policy allows it, else nobody knows whether
# the effect happened. A piece of work that felled too many workers is not tried again.
_LOST = """
    WITH lost AS (
        SELECT id FROM workflows_workitem
         WHERE status = 'running' AND poke_at < statement_timestamp()
           AND pg_postmaster_start_time() + %(grace)s * lease * interval '1 second'
               < statement_timestamp()
         ORDER BY poke_at LIMIT 200 FOR UPDATE SKIP LOCKED
    ), verdict AS (
        SELECT item.id,
               CASE WHEN item.cancel_requested_at IS NOT NULL THEN 'canceled'
                    WHEN item.pickups >= %(pickups)s THEN 'error'
                    WHEN item.kind = 'transaction' THEN 'ready'
                    WHEN item.retry IS NULL THEN 'unknown'
                    WHEN item.attempt < (item.retry->>'attempts')::int THEN 'ready'
                    ELSE 'error' END AS status
          FROM workflows_workitem AS item JOIN lost USING (id)
    )
    UPDATE workflows_workitem AS item
       SET status = verdict.status, token = NULL, poke_at = NULL,
           finished_at = CASE WHEN verdict.status <> 'ready' THEN clock_timestamp() END,
           purge_at = CASE WHEN verdict.status <> 'ready' AND item.run_id IS NULL
                           THEN clock_timestamp() + %(kept)s * interval '1 day' END,
           error = CASE verdict.status
               WHEN 'ready' THEN item.error
               WHEN 'canceled' THEN NULL
               WHEN 'unknown' THEN jsonb_build_object('kind', 'WorkerLost', 'message',
                   'Its worker vanished in the middle. Whether it had its effect is not known.')
               ELSE jsonb_build_object(
                   'kind', CASE WHEN item.pickups >= %(pickups)s THEN 'Poison'
                                ELSE 'WorkerLost' END,
                   'message', 'Its worker vanished at attempt ' || item.attempt
                              || ', after ' || item.pickups || ' pick-ups.') END
      FROM verdict WHERE item.id = verdict.id
 RETURNING item.id, item.run_id, item.status
"""


def take_from_the_lost(max_pickups: int) -> list[UUID]:
    """Deal with work whose lease has run out; returns the runs that have a result to be given."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            grace = settings.ONE_RESTART_GRACE
            values = {"pickups": max_pickups, "kept": RETENTION_DAYS, "grace": grace}
            cursor.execute(_LOST, values)
            rows = cursor.fetchall()
        for work_id, run_id, status in rows:
            if status != Status.READY and run_id is None:
                _told(work_id)
        if any(status == Status.READY for _, _, status in rows):
            ring_on_commit()
    return [run_id for _, run_id, status in rows if run_id and status != Status.READY]


_DUE = """
    WITH due AS (
        SELECT id FROM workflows_workitem
         WHERE status = 'waiting' AND poke_at <= statement_timestamp()
           AND NOT (kind = 'transaction' AND run_id IS NOT NULL)
           AND (kind <> 'action' OR run_id IS NULL
                OR EXISTS (SELECT 1 FROM workflows_workflowrun AS run
                            WHERE run.id = run_id AND run.status = 'running'))
         ORDER BY poke_at LIMIT 1000 FOR UPDATE SKIP LOCKED
    )
    UPDATE workflows_workitem AS item
       SET status = CASE item.kind WHEN 'sleep' THEN 'success' WHEN 'event' THEN 'error'
                                   ELSE 'ready' END,
           poke_at = NULL,
           finished_at = CASE WHEN item.kind IN ('sleep', 'event') THEN clock_timestamp() END,
           error = CASE item.kind WHEN 'event' THEN jsonb_build_object('kind', 'WaitTimeout',
               'message', 'The event ' || item.name || ' did not come in time.') END
      FROM due WHERE item.id = due.id
 RETURNING item.run_id, item.status
"""


def wake_due() -> list[UUID]:
    """Let what has waited long enough go on; returns the runs that have a result to be given."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_DUE)
            rows = cursor.fetchall()
        if any(status == Status.READY for _, status in rows):
            ring_on_commit()
    return list({run_id for run_id, status in rows if run_id and status != Status.READY})
