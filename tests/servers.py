"""Real Postgres and Redis for the suite, as a pytest plugin.

The embedded servers, unless DATABASE_URL and REDIS_URL are set. A plugin named in ``addopts`` is
imported before pytest-django reads the settings; a conftest is not.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

from one_project.embedded import running_postgres, running_redis

_servers = ExitStack()
# Set where the server is ours: see ``tests.emptying``.
SUPERUSER_URL = "ONE_TESTS_SUPERUSER_URL"


def _only_distributes() -> bool:
    """Whether this process hands tests to others (``-n 2``), which start servers of their own."""
    return "PYTEST_XDIST_WORKER" not in os.environ and any(
        first == "-n" and count != "0" for first, count in pairwise(sys.argv)
    )


def _start_servers() -> None:
    if _only_distributes():
        return
    folder = Path(_servers.enter_context(tempfile.TemporaryDirectory(prefix="one-tests-")))
    folder.chmod(0o755)
    if not os.environ.get("DATABASE_URL"):
        url = _servers.enter_context(running_postgres(folder, fast=True))
        os.environ["DATABASE_URL"] = url
        password = quote((folder / "secrets" / "postgres-superuser").read_text().strip(), safe="")
        place = url.rsplit("@", 1)[1]
        os.environ[SUPERUSER_URL] = f"postgres://postgres:{password}@{place}"
    if not os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = _servers.enter_context(running_redis(folder))
    os.environ["ONE_FILES_DIR"] = str(folder / "files")


_start_servers()


def pytest_unconfigure() -> None:
    _servers.close()
