"""The Celery app and the one way to wake a worker.

A job is a wake-up call, never the truth: whatever must happen is a row first, and a sweeper finds
rows whose call was lost. Jobs are named, so that services need not import the tasks above them.
"""

import logging
import os

from celery import Celery
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerError

from one_project.common.publish import let_redis_rest, redis_is_resting

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "one_project.settings.development")

app = Celery("one")
app.config_from_object("django.conf:settings", namespace="CELERY")


def enqueue(name: str, **arguments: str) -> None:
    """Call task ``name`` once the current transaction has committed; ids only, never secrets.

    A broker that is away delays the work until the sweeper finds the row; it raises nothing.
    """
    transaction.on_commit(lambda: _send(name, arguments))


def _send(name: str, arguments: dict[str, str]) -> None:
    if redis_is_resting():
        return
    try:
        app.send_task(name, kwargs=arguments, ignore_result=True, retry=False)
    except (BrokerError, OSError) as error:
        let_redis_rest()
        logger.warning("job %s not sent, the sweeper will find its row: %s", name, error)
