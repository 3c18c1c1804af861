"""Wake the sockets: publish bytes on a Redis channel after the transaction has committed.

Best effort by design. What is published is also in Postgres with a sequence number; a viewer who
misses it notices the gap, or the hub's regular comparison does, and reads the rows.
"""

import logging
from collections.abc import Callable
from functools import lru_cache

import redis
from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def _client() -> "redis.Redis":
    # Short limits: a Redis that is away must not hold up the request that committed.
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=0.3, socket_timeout=0.5, max_connections=64
    )


def publish(channel: str, payload: bytes) -> None:
    """Publish ``payload`` on ``channel`` now; a Redis that is away is logged, never raised."""
    try:
        _client().publish(channel, payload)
    except redis.RedisError as error:
        logger.warning("not published on %s: %s", channel, error)


def publish_on_commit(channel: str, payload: bytes | Callable[[], bytes]) -> None:
    """Publish after commit; a callable is asked for its bytes then, outside the transaction."""
    transaction.on_commit(
        lambda: publish(channel, payload() if callable(payload) else payload), robust=True
    )
