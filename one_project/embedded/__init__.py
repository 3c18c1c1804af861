"""Postgres and Redis as child processes, for machines that have neither; needs no Django."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["running_postgres", "running_redis"]

# The servers are imported where they are used: ``python -m one_project.embedded.keep`` comes
# through here too and needs none of it.


@contextmanager
def running_postgres(data_dir: Path, fast: bool = False) -> Iterator[str]:
    """Run Postgres on ``data_dir`` for the time of the block; yields its DATABASE_URL.

    ``fast`` gives up safety against power cuts. Raises ``EmbeddedServerError``.
    """
    from one_project.embedded.postgres import EmbeddedPostgres

    server = EmbeddedPostgres(data_dir, fast=fast)
    try:
        server.start()
        yield server.wait()
    finally:
        server.stop()


@contextmanager
def running_redis(data_dir: Path) -> Iterator[str]:
    """Run Redis on ``data_dir`` for the time of the block; yields its REDIS_URL.

    Raises ``EmbeddedServerError``.
    """
    from one_project.embedded.redis import EmbeddedRedis

    server = EmbeddedRedis(data_dir)
    try:
        server.start()
        yield server.wait()
    finally:
        server.stop()
