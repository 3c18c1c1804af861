"""Fixtures of the whole suite: people of every role, no network beyond loopback.

The servers are started by ``tests.servers``.
"""

import logging
import os
import socket
import traceback
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

from one_project.embedded.postgres import DATABASE
from tests import emptying

if TYPE_CHECKING:
    from tests.people import World


# What runs the whole product as processes: all of it in one process, so that it is started once.
STACK = ("tests/e2e/",)
TRIALS = ("tests/benchmarks/",)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """A file stays in one process, since what it shares is made once for each; the stack is one."""

    def _split_scope(self, nodeid: str) -> str:
        return "stack" if nodeid.startswith(STACK) else nodeid.split("::", 1)[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Marks of groups do not reach xdist under this pytest; paths do."""
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """The stack first, since it is longest; the trials, which start as many processes, when it is
    done; in the end what is short, so that no process is left with nothing to do.

    After all others have sorted: pytest-django does by what each test does to the database.
    """
    yield
    stack = [item for item in items if item.nodeid.startswith(STACK)]
    trials = [item for item in items if item.nodeid.startswith(TRIALS)]
    others = [item for item in items if not item.nodeid.startswith((*STACK, *TRIALS))]
    middle = len(others) // 2
    items[:] = [*stack, *others[:middle], *trials, *others[middle:]]


def pytest_collection_finish() -> None:
    """By now Django is set up."""
    if url := os.environ.pop("ONE_TESTS_SUPERUSER_URL", ""):
        emptying.use(url)


OWN_SERVER = "ONE_TESTS_SUPERUSER_URL" in os.environ


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """With what emptying needs on a server that is not ours."""
    if not OWN_SERVER:
        with django_db_blocker.unblock():
            emptying.let_django()


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    """A server of our own takes its databases along when it ends. Dropping one before would fail
    where a thread that a test has begun still holds a connection."""
    return OWN_SERVER or bool(request.config.getvalue("reuse_db"))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Begun with what ``tests.servers`` has migrated."""
    if OWN_SERVER:
        from django.db import connection

        connection.settings_dict["TEST"]["TEMPLATE"] = DATABASE


# What the secrets of tests begin with: no line of any log may hold one. Servers that a test has
# started note whole addresses themselves.
CANARY = "canary-"
NOTED_BY_SERVERS = ("aiohttp.access", "aiohttp.server", "werkzeug", "mail.log", "tests.")


class CanaryWatch(logging.Handler):
    """Notes the lines of the whole session that hold a canary."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(NOTED_BY_SERVERS):
            return
        text = str(record.msg)
        with suppress(TypeError, ValueError):
            text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += "".join(traceback.format_exception(record.exc_info[1]))
        if CANARY in text and len(self.found) < 20:
            self.found.append(f"{record.name}: {text[:300]}")


_canaries = CanaryWatch()


def pytest_sessionstart() -> None:
    logging.getLogger().addHandler(_canaries)


@pytest.fixture(autouse=True)
def no_secrets_in_logs() -> Iterator[None]:
    """A secret in a line of any log fails the test that wrote it."""
    yield
    found = _canaries.found[:]
    _canaries.found.clear()
    assert found == []


LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def no_outside_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection beyond loopback fails the test that made it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = str(address[0]) if isinstance(address, tuple) else ""
        if isinstance(address, tuple) and not host.startswith(LOOPBACK):
            raise AssertionError(f"a test tried to reach {host}")
        return connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def world(db: None) -> "World":
    """An organisation with people of every role, an agent, and a stranger."""
    from tests.people import make_world

    return make_world()


@pytest.fixture
def committed_world(transactional_db: None) -> "World":
    """As ``world``, visible to other connections (threads, sockets, workers)."""
    from tests.people import make_world

    return make_world()
