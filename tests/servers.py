"""Real Postgres and Redis for the suite, as a pytest plugin.

The embedded servers, unless DATABASE_URL and REDIS_URL are set. A plugin named in ``addopts`` is
imported before pytest-django reads the settings; a conftest is not.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from one_project.embedded import running_postgres, running_redis

_servers = ExitStack()


def _start_servers() -> None:
    folder = Path(_servers.enter_context(tempfile.TemporaryDirectory(prefix="one-tests-")))
    folder.chmod(0o755)
    if not os.environ.get("DATABASE_URL"):
        url = _servers.enter_context(running_postgres(folder, fast=True))
        os.environ["DATABASE_URL"] = url
    if not os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = _servers.enter_context(running_redis(folder))


_start_servers()


def pytest_unconfigure() -> None:
    _servers.close()
