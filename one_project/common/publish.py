"""Wake the sockets: publish bytes on a Redis channel after the transaction has committed.

Best effort by design. What is published is also in Postgres with a sequence number; a viewer who
misses it notices the gap, or the hub's regular comparison does, and reads the rows.
"""

import logging
import time
from collections.abc import Callable
from functools import lru_cache

import redis
from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)


# After a failure nobody waits for Redis again for this long (seconds): a request that announces
# to ten people must not run into ten time-outs.
REST = 2.0
_away_until = 0.0


@lru_cache(maxsize=1)
def _client() -> "redis.Redis":
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=0.3, socket_timeout=0.5, max_connections=64
    )


def publish(channel: str, payload: bytes) -> None:
    """Publish ``payload`` on ``channel`` now; a Redis that is away is logged, never raised."""
    global _away_until
    if time.monotonic() < _away_until:
        return
    try:
        _client().publish(channel, payload)
    except redis.RedisError as error:
        _away_until = time.monotonic() + REST
        logger.warning("Redis is away, viewers will read the database: %s", error)


def publish_on_commit(channel: str, payload: bytes | Callable[[], bytes]) -> None:
    """Publish after commit; a callable is asked for its bytes then, outside the transaction."""
    transaction.on_commit(
        lambda: publish(channel, payload() if callable(payload) else payload), robust=True
    )
