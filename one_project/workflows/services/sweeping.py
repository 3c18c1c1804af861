"""Finding what nobody came back for: every worker does it, twice a second, without beat.

Each look is an index that is empty when all is well.
"""

from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from one_project.workflows.conf import MAX_PICKUPS
from one_project.workflows.models import Completion, RunStatus, WorkflowRun, WorkItem
from one_project.workflows.services.completion import complete_owed
from one_project.workflows.services.ending import end_run
from one_project.workflows.services.settle import take_from_the_lost, wake_due
from one_project.workflows.types import Failure


@dataclass(slots=True)
class Found:
    """What to do next: runs that have results, runs to be picked up, whether work is ready."""

    settled: list[UUID] = field(default_factory=list)
    picked_up: list[UUID] = field(default_factory=list)
    work: bool = False


_LOOK = """
    SELECT EXISTS (SELECT 1 FROM workflows_workitem WHERE poke_at <= statement_timestamp()),
           EXISTS (SELECT 1 FROM workflows_workflowrun WHERE poke_at <= statement_timestamp()),
           EXISTS (SELECT 1 FROM workflows_workflowrun
                    WHERE deadline <= statement_timestamp() AND finished_at IS NULL),
           ARRAY (SELECT run_id FROM workflows_workitem
                   WHERE status IN ('success', 'error', 'canceled', 'unknown')
                     AND settled_seq IS NULL AND run_id IS NOT NULL
                     AND EXISTS (SELECT 1 FROM workflows_workflowrun AS run
                                  WHERE run.id = run_id AND run.status = 'running'
                                    AND (run.poke_at IS NULL
                                         OR run.poke_at <= statement_timestamp()))
                   LIMIT 500),
           EXISTS (SELECT 1 FROM workflows_workitem WHERE status = 'ready')
"""


def sweep() -> Found:
    """Deal with everything that is due; returns what the engine has to do."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK)
        work_due, runs_due, late, unsettled, ready = cursor.fetchone()
    found = Found(settled=list(dict.fromkeys(unsettled)), work=ready)
    if late:
        _end_late_runs()
    if work_due:
        found.settled += wake_due()
        found.settled += take_from_the_lost(MAX_PICKUPS)
        found.picked_up += _runs(_DUE_TRANSACTIONS)
        _complete(WorkItem)
    if runs_due:
        found.picked_up += _runs(_DUE_RUNS)
        _complete(WorkflowRun)
    return found


_DUE_RUNS = """
    SELECT id FROM workflows_workflowrun
     WHERE poke_at <= statement_timestamp() AND status = 'running'
     ORDER BY poke_at LIMIT 500
"""
_DUE_TRANSACTIONS = """
    SELECT DISTINCT run_id FROM workflows_workitem
     WHERE poke_at <= statement_timestamp() AND status = 'waiting' AND kind = 'transaction'
       AND run_id IS NOT NULL LIMIT 500
"""


def _runs(which: str) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(which)
        return [row[0] for row in cursor.fetchall()]


def _end_late_runs() -> None:
    """Runs whose time-out has passed end with an error; what they began is canceled."""
    late = WorkflowRun.objects.open().filter(deadline__lte=timezone.now())
    for run_id in list(late.values_list("pk", flat=True)[:200]):
        with transaction.atomic():
            run = late.select_for_update(skip_locked=True, of=("self",)).filter(pk=run_id).first()
            if run is not None:
                failure = Failure(kind="Timeout", message="The run took longer than it may.")
                end_run(run, RunStatus.ERROR, failure=failure)


def _complete(model: type[WorkItem] | type[WorkflowRun]) -> None:
    owed = model._default_manager.filter(completion=Completion.PENDING, poke_at__lte=timezone.now())
    for row in owed[:100]:
        complete_owed(row)
