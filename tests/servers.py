"""Real Postgres and Redis for the suite, as a pytest plugin.

The embedded servers, unless DATABASE_URL and REDIS_URL are set. A plugin named in ``addopts`` is
imported before pytest-django reads the settings; a conftest is not.

The database is migrated once for all processes and all stacks that tests start, by a process of its
own while the tests are collected (``benchmarks.prepared``); each Postgres is begun with a copy.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest

from benchmarks import prepared
from one_project.embedded import running_postgres, running_redis
from one_project.embedded.data_dir import DataDir
from one_project.embedded.postgres import DATABASE, SECRETS, SUPERUSER
from one_project.embedded.roles import OWNER

_servers = ExitStack()
# Set where the server is ours: see ``tests.emptying``.
SUPERUSER_URL = "ONE_TESTS_SUPERUSER_URL"
LOG = "made.log"
ROOT = Path(__file__).resolve().parent.parent
PREPARED_WITHIN = 300.0  # seconds, on a machine that has much else to do


def _only_distributes() -> bool:
    """Whether this process hands tests to others (``-n 2``), which start servers of their own."""
    return "PYTEST_XDIST_WORKER" not in os.environ and any(
        first == "-n" and count != "0" for first, count in pairwise(sys.argv)
    )


def _prepare() -> Path:
    """Where the migrated data will be. Whoever is first has them made; the others are told."""
    if known := os.environ.get(prepared.VARIABLE):
        return Path(known)
    folder = Path(
        _servers.enter_context(
            tempfile.TemporaryDirectory(prefix="one-prepared-", ignore_cleanup_errors=True)
        )
    )
    folder.chmod(0o755)
    path = folder / "data"
    prepared.make_secrets(path)
    with (path / LOG).open("wb") as log:
        making = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.prepared", str(path)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    _servers.callback(making.wait)
    _servers.callback(making.terminate)
    os.environ[prepared.VARIABLE] = str(path)
    return path


def _wait_for(path: Path) -> None:
    """Return when the data are there. Raises UsageError when they will not be."""
    until = time.monotonic() + PREPARED_WITHIN
    while not (path / prepared.DONE).exists():
        if (path / prepared.FAILED).exists() or time.monotonic() > until:
            raise pytest.UsageError(f"no database was made:\n{(path / LOG).read_text()[-4000:]}")
        time.sleep(0.05)


class OwnPostgres:
    """Its address is known at once; it starts when the tests are collected."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.data = folder, data
        secrets = data / "secrets"
        place = f"127.0.0.1:{DataDir(folder).port('postgres')}/{DATABASE}"

        def url(role: str) -> str:
            password = quote((secrets / SECRETS[role]).read_text().strip(), safe="")
            return f"postgres://{role}:{password}@{place}"

        self.url, self.superuser_url = url(OWNER), url(SUPERUSER)

    def start(self) -> None:
        _wait_for(self.data)
        prepared.begin(self.folder)
        url = _servers.enter_context(running_postgres(self.folder, fast=True))
        if url != self.url:
            raise pytest.UsageError("somebody else has taken the port of the tests' Postgres")


_own: list[OwnPostgres] = []


def _start_servers() -> None:
    has_database = bool(os.environ.get("DATABASE_URL"))
    data = None if has_database else _prepare()
    if _only_distributes():
        return
    folder = Path(_servers.enter_context(tempfile.TemporaryDirectory(prefix="one-tests-")))
    folder.chmod(0o755)
    if data is not None:
        own = OwnPostgres(folder, data)
        os.environ["DATABASE_URL"], os.environ[SUPERUSER_URL] = own.url, own.superuser_url
        _own.append(own)
    if not os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = _servers.enter_context(running_redis(folder))
    os.environ["ONE_FILES_DIR"] = str(folder / "files")


_start_servers()


def pytest_collection_finish() -> None:
    while _own:
        _own.pop().start()


def pytest_unconfigure() -> None:
    _servers.close()
