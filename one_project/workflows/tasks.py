"""Celery's side: a worker process is where the engine lives.

Run the worker with ``--pool threads`` (or ``solo``): all work of a process shares one asyncio loop
(ADR 0002), and a message never is the work (ADR 0004).
"""

import logging
from typing import Any

from celery.signals import worker_process_init, worker_ready, worker_shutting_down

from one_project.common.process import settle
from one_project.workflows.worker.engine import Engine

logger = logging.getLogger(__name__)

engine = Engine()


@worker_ready.connect  # type: ignore[untyped-decorator]
def start_engine(**_: Any) -> None:
    settle()
    engine.start()
    logger.info("worker %s takes work", engine.name)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def refuse_prefork(**_: Any) -> None:
    """A prefork child has no loop; it would take calls and answer none."""
    raise RuntimeError("run the worker with --pool threads")


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def stop_engine(**_: Any) -> None:
    engine.stop()
