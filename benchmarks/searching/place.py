"""Postgres and Redis on private data, and Django in this process as the role ``one_app``.

What is searched here is searched as web and workers do it: by a role that owns nothing and is
under row-level security. Tables and indexes are made by the owner, through the alias ``owner``.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import options, prepared, processes
from benchmarks.stack import LIMITS
from one_project.embedded import running_postgres_roles, running_redis
from one_project.embedded.data_dir import DataDir


@dataclass(frozen=True, slots=True)
class Place:
    """``environment`` is that of every process of the application; ``app_url``: of ``one_app``."""

    folder: Path
    environment: dict[str, str]

    @property
    def app_url(self) -> str:
        return self.environment["DATABASE_URL"]


@contextmanager
def running_place(**environment: str) -> Iterator[Place]:
    """Within the block, Django is set up here and the database is migrated; all ends with it.

    ``environment``: more variables, for this process as well.
    """
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="one-bench-")))
        folder.chmod(0o755)
        state = DataDir(folder / "data")
        prepared.begin(state.path)
        # Where this is asked for, this process has the core of the servers, as they have.
        if options.choice("PRIORITY", "0", ["0", "1"]) == "1":
            cleanup.enter_context(processes.placed(processes.cores()[0], first=True))
        # Not written through to the disk: searches read, and the writing is not measured.
        owner, app = cleanup.enter_context(running_postgres_roles(state.path, fast=True))
        redis = cleanup.enter_context(running_redis(state.path))
        ours = {
            "DATABASE_URL": app,
            "DATABASE_OWNER_URL": owner,
            "REDIS_URL": redis,
            "DJANGO_SETTINGS_MODULE": "one_project.settings.development",
            "DJANGO_SECRET_KEY": state.secret("django", 48),
            "ONE_DEBUG": "0",
            "ONE_LOG_LEVEL": "ERROR",
            "ONE_DATA_DIR": str(state.path),
            "ONE_FILES_DIR": str(folder / "files"),
            "OPENAI_API_KEY": "",
            "OPENAI_BASE_URL": "",
            "ONE_EMBEDDING_BASE_URL": "",
            "ONE_LOCAL_EMBEDDINGS": "0",
            "PYTHONUNBUFFERED": "1",
            **dict.fromkeys(LIMITS, "off"),
            **environment,
        }
        place = Place(folder, {**os.environ, **ours})
        os.environ.update(ours)
        _set_up()
        cleanup.callback(_close_databases)
        yield place


def _set_up() -> None:
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    # One connection a thread, whose settings last as long as the test of them.
    for database in settings.DATABASES.values():
        database["OPTIONS"].pop("pool", None)
    from one_project.embedded.prepare import grant_app_role

    call_command("migrate", database="owner", interactive=False, verbosity=0)
    call_command("createcachetable", database="owner", verbosity=0)
    if not grant_app_role():
        raise RuntimeError("the application would own its tables here")


def _close_databases() -> None:
    from django.db import connections

    connections.close_all()
