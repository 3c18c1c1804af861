"""Fixtures of the whole suite: people of every role, no network beyond loopback.

The servers are started by ``tests.servers``.
"""

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.people import World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs in one process: a file; and all that needs the whole stack, one after the other."""
    for item in items:
        whole = {"e2e", "stack"} & {mark.name for mark in item.iter_markers()}
        group = "stack" if whole else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


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
