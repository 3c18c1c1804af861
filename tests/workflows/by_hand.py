"""The engine's verbs in the order a test wants, in one thread and one transaction."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.test import TestCase

from one_project.workflows.current import CurrentWork, set_current
from one_project.workflows.definitions import find_step, known_steps
from one_project.workflows.models import WorkflowRun, WorkItem
from one_project.workflows.services.advance import advance, settle_and_advance
from one_project.workflows.services.claims import claim, pools_with_work
from one_project.workflows.services.outcomes import outcome_of
from one_project.workflows.services.settle import execute_transaction, settle
from one_project.workflows.services.sweeping import sweep
from one_project.workflows.types import Claimed, Host, Kind, Outcome, Status

T = TypeVar("T")


def take(pool: str = "default", room: int = 100, worker: str = "w1") -> list[Claimed]:
    return claim(pool, worker=worker, room=room, known=known_steps())


def call(work: Claimed) -> Outcome:
    """What the function does, without recording it."""
    definition = find_step(work.function)
    set_current(CurrentWork(work))
    try:
        value: Any = definition.function(**definition.signature.load(work.arguments))
        if definition.is_async:
            value = asyncio.run(value)
        return Outcome(status=Status.SUCCESS, result=definition.signature.dump_result(value))
    except Exception as error:
        return outcome_of(error)


HOST: list[Host] = []
"""Set: this process claims what its runs begin at once, as an engine does."""


def perform(work: Claimed) -> None:
    """Call the function, record it, let its run go on, and do what that claims."""
    todo = [work]
    while todo:
        work = todo.pop()
        if work.kind == Kind.TRANSACTION:
            try:
                execute_transaction(work)
            except Exception as error:
                settle(work, outcome_of(error))
        else:
            todo += committed(settle_and_advance, work, call(work), *HOST)[1]


def committed(verb: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call it, and what is to be called after its commit, which a test's transaction never sees."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        return verb(*args, **kwargs)


def drain(rounds: int = 2000) -> None:
    """Do all that can be done now."""
    for _ in range(rounds):
        found = sweep()
        todo: list[Claimed] = []
        for run_id in found.picked_up:
            todo += committed(advance, run_id, picked_up=True, host=HOST[0] if HOST else None)
        for run_id in found.settled:
            todo += committed(advance, run_id, host=HOST[0] if HOST else None)
        busy = bool(found.picked_up or found.settled)
        for pool in pools_with_work():
            todo += take(pool)
        for work in todo:
            perform(work)
        if not busy and not todo:
            return
    raise AssertionError("this never comes to rest")


def pass_time(seconds: float) -> None:
    """Have so much time pass for everything that waits."""
    past = timedelta(seconds=seconds)
    WorkItem.objects.filter(poke_at__isnull=False).update(poke_at=F("poke_at") - past)
    WorkflowRun.objects.filter(poke_at__isnull=False).update(poke_at=F("poke_at") - past)
    WorkflowRun.objects.filter(deadline__isnull=False).update(deadline=F("deadline") - past)
    for model in (WorkItem, WorkflowRun):
        model.objects.filter(purge_at__isnull=False).update(purge_at=F("purge_at") - past)


def fresh(run: WorkflowRun) -> WorkflowRun:
    return WorkflowRun.objects.get(pk=run.pk)


def journal(run: WorkflowRun) -> list[tuple[str, str]]:
    """Name and status of the steps, by number."""
    return list(WorkItem.objects.filter(run=run).order_by("n").values_list("name", "status"))


def neglected() -> list[UUID]:
    """Open rows that nobody would ever look at again: there must be none (I5)."""
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT id FROM workflows_workitem AS item
             WHERE status IN ('waiting', 'running') AND poke_at IS NULL
               AND kind NOT IN ('event', 'workflow')
            UNION ALL
            SELECT id FROM workflows_workflowrun AS run
             WHERE status = 'running' AND poke_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM workflows_workitem AS item WHERE item.run_id = run.id
                   AND (item.status IN ('waiting', 'ready', 'running')
                        OR item.settled_seq IS NULL))
        """)
        return [row[0] for row in cursor.fetchall()]
