"""Telling whoever asked that a run or a piece of work has ended: exactly once."""

import logging
import traceback
from datetime import timedelta

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from one_project.workflows.conf import COMPLETION_TRIES, MAX_ERROR
from one_project.workflows.definitions import find_step
from one_project.workflows.models import Completion, RunStatus, WorkflowRun, WorkItem
from one_project.workflows.types import Result, Retry

logger = logging.getLogger(__name__)

_PATIENCE = Retry(attempts=COMPLETION_TRIES, initial=1.0, base=3.0)


def completed(row: WorkflowRun | WorkItem) -> None:
    """Call ``on_complete`` in the transaction that has just marked the end of ``row``.

    What it writes is kept only with that mark. When it raises, only its own writes are undone: the
    end stands, the failure is recorded and the call is tried again (``complete_owed``).
    """
    if not row.on_complete:
        return
    row.completion_tries += 1
    try:
        with transaction.atomic():
            find_step(row.on_complete).function(result_of(row), row.context)
            connection.check_constraints()
        row.completion, row.completion_error, row.poke_at = Completion.DONE, "", None
    except Exception as error:
        if isinstance(error, OperationalError):
            raise  # the whole transaction is lost; it will be done again
        logger.exception("on_complete of %s failed", row)
        row.completion_error = traceback.format_exc()[-MAX_ERROR:]
        last = row.completion_tries >= COMPLETION_TRIES
        row.completion = Completion.FAILED if last else Completion.PENDING
        delay = timedelta(seconds=_PATIENCE.delay(row.completion_tries))
        row.poke_at = None if last else timezone.now() + delay
    row.save(update_fields=["completion", "completion_tries", "completion_error", "poke_at"])


def complete_owed(row: WorkflowRun | WorkItem) -> None:
    """Try a completion again that has failed before."""
    with transaction.atomic():
        locked = (
            type(row)
            ._default_manager.select_for_update(skip_locked=True)
            .filter(pk=row.pk, completion=Completion.PENDING, poke_at__lte=timezone.now())
            .first()
        )
        if locked is not None:
            completed(locked)


def result_of(row: WorkflowRun | WorkItem) -> Result:
    """The end of a run or a piece of work as ``on_complete`` is given it."""
    failure = row.error or {}
    if row.status == RunStatus.SUCCESS:
        return Result(kind="success", id=row.pk, value=row.result)
    if row.status == RunStatus.CANCELED:
        return Result(kind="canceled", id=row.pk)
    return Result(
        kind="error",
        id=row.pk,
        error=str(failure.get("message", "")),
        error_kind=str(failure.get("kind", row.status)),
    )
