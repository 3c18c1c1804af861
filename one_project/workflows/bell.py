"""Waking those who work. A lost ring costs half a second; the rows are the truth."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.db import transaction

from one_project.common.publish import publish

CHANNEL = "workflows:bell"
WORK = b"work"

# The engine of this process, if it has one: told directly, without a way through Redis.
Wake = Callable[[UUID | None], None]
_local: list[Wake] = []


def listen_here(wake: Wake) -> Callable[[], None]:
    """Have ``wake`` called (from any thread) when there is work or, with its id, a run to go on.

    Returns how to end that.
    """
    _local.append(wake)
    return lambda: _local.remove(wake)


def ring_on_commit() -> None:
    """Somebody should look for work once this transaction has committed."""
    transaction.on_commit(ring, robust=True)


def ring() -> None:
    """Wake this process's engine, or all others where there is none."""
    if _local:
        for wake in (*_local,):
            wake(None)
    else:
        publish(CHANNEL, WORK)


def ring_run_on_commit(run_id: UUID) -> None:
    """This run has a result or a wish to be given, once this transaction has committed."""
    transaction.on_commit(partial(_ring_run, run_id), robust=True)


def _ring_run(run_id: UUID) -> None:
    if _local:
        for wake in (*_local,):
            wake(run_id)
    else:
        publish(CHANNEL, f"run {run_id}".encode())


def pass_on() -> None:
    """There is more than this process takes: wake the others."""
    publish(CHANNEL, WORK)


def tell_to_stop_on_commit(work_id: object) -> None:
    """Whoever runs this piece of work should stop it now."""
    transaction.on_commit(lambda: publish(CHANNEL, f"stop {work_id}".encode()), robust=True)
