"""Postgres and Redis as child processes, for machines that have neither; needs no Django."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["running_postgres", "running_postgres_roles", "running_redis"]

# The servers are imported where they are used: ``python -m one_project.embedded.keep`` comes
# through here too and needs none of it.


@contextmanager
def running_postgres(data_dir: Path, fast: bool = False) -> Iterator[str]:
    """Run Postgres on ``data_dir`` for the time of the block; yields the URL of its owner.

    ``fast`` gives up safety against power cuts. Raises ``EmbeddedServerError``.
    """
    with running_postgres_roles(data_dir, fast) as (owner, _):
        yield owner


@contextmanager
def running_postgres_roles(data_dir: Path, fast: bool = False) -> Iterator[tuple[str, str]]:
    """As ``running_postgres``; yields the URLs of the owner and of the application's role."""
    from one_project.embedded.postgres import EmbeddedPostgres

    server = EmbeddedPostgres(data_dir, fast=fast)
    try:
        server.start()
        yield server.wait(), server.app_url
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
