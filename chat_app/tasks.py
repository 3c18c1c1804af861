"""Celery's side of turns: hand the id to this process's loop; the rare chores.

Run the worker with ``--pool threads`` (or ``solo``): all turns of a process share one asyncio loop
(ADR 0002).
"""

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_process_init, worker_ready, worker_shutting_down

from chat_app.services.threads import purge_deleted_threads as purge
from chat_app.worker.engine import Engine
from one_project.common.ids import parse_id
from one_project.common.process import settle

logger = logging.getLogger(__name__)

engine = Engine()


@worker_ready.connect
def start_engine(**_: Any) -> None:
    settle()
    engine.start()
    logger.info("worker %s takes turns", engine.name)


@worker_process_init.connect
def refuse_prefork(**_: Any) -> None:
    """A prefork child has no loop; it would take calls and answer none."""
    raise RuntimeError("run the worker with --pool threads")


@worker_shutting_down.connect
def stop_engine(**_: Any) -> None:
    engine.stop()


@shared_task(name="chat_app.wake_turn", ignore_result=True)
def wake_turn(turn_id: str) -> None:
    """A turn waits. Losing this call costs two seconds; the sweep finds the row."""
    if wanted := parse_id(turn_id):
        engine.submit(wanted)


@shared_task(name="chat_app.purge_deleted_threads", ignore_result=True)
def purge_deleted_threads() -> int:
    """Remove threads whose time for undo has passed."""
    return purge()
