"""The data directory: private files, remembered ports, logs and locks of one installation."""

import fcntl
import os
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path

from one_project.embedded.errors import EmbeddedServerError

# Below the range from which kernels take the local ports of outgoing connections (32768 on
# Linux, 49152 on macOS), so that a remembered port is not lost to a passing connection.
FIRST_PORT, LAST_PORT = 20_000, 32_000
LOG_MAX_BYTES = 10 * 1024 * 1024


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on ``host:port`` now.

    Raises ``socket.gaierror`` when ``host`` is not an address of any kind.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        # As servers do: connections of an earlier server in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError:
            return False
    return True


class DataDir:
    """Paths and small private files below one directory, which is created when missing."""

    def __init__(self, path: Path) -> None:
        """Create the directory tree; raises ``OSError`` where that is not allowed."""
        self.path = path.resolve()
        if not self.path.exists():
            self.path.mkdir(parents=True)
            # The database server may run as another user and has to pass through, not to list.
            self.path.chmod(0o711)
        self.run = self.path / "run"
        self.run.mkdir(exist_ok=True)
        self.logs = self.path / "log"
        self.logs.mkdir(exist_ok=True)
        self._secrets = self.path / "secrets"
        self._secrets.mkdir(mode=0o700, exist_ok=True)

    def secret(self, name: str, length: int = 32) -> str:
        """The secret called ``name``: ``length`` random bytes, made once, mode 0600."""
        path = self._secrets / name
        with suppress(FileNotFoundError):
            if kept := path.read_text().strip():
                return kept
        value = secrets.token_urlsafe(length)
        write_private(path, value)
        return value

    def port(self, name: str) -> int:
        """A free TCP port for ``name``: the one used last time unless somebody has it now.

        Raises ``EmbeddedServerError`` when no free port turns up.
        """
        memory = self.run / f"{name}.port"
        with suppress(FileNotFoundError, ValueError):
            remembered = int(memory.read_text())
            if port_is_free(remembered):
                return remembered
        for _ in range(200):
            candidate = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
            if port_is_free(candidate):
                write_private(memory, str(candidate))
                return candidate
        raise EmbeddedServerError(
            f"No free port between {FIRST_PORT} and {LAST_PORT} for the embedded {name}."
        )

    def last_port(self, name: str) -> int | None:
        """The port ``name`` was given last, free or not; None before the first start."""
        with suppress(FileNotFoundError, ValueError):
            return int((self.run / f"{name}.port").read_text())
        return None

    def log(self, name: str) -> Path:
        """The log file of ``name``; one beyond 10 MB is put aside as ``NAME.log.1`` first."""
        path = self.logs / f"{name}.log"
        with suppress(FileNotFoundError):
            if path.stat().st_size > LOG_MAX_BYTES:
                path.replace(path.with_suffix(".log.1"))
        return path


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` by a file of mode 0600 with ``text``, whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


class Lock:
    """A lock file held by this process, with its process id inside.

    A POSIX record lock, since that one ends with the process whatever way it dies and is not
    inherited by children; a second opening of the file in the same process would drop it.
    """

    STOPPING = "stopping"

    def __init__(self, path: Path) -> None:
        """Open the file; nothing is locked before ``acquire``."""
        self._path = path
        self._file = path.open("a+")
        self._held = False
        self.left_behind = False  # whether the holder before us ended without releasing

    def acquire(self, wait: float = 0.0, wait_for_stop: float = 0.0) -> bool:
        """Take the lock within ``wait`` seconds; False when another process keeps it.

        A holder that says it is stopping is given ``wait_for_stop`` seconds instead.
        """
        begun = time.monotonic()
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                patience = wait_for_stop if self.STOPPING in self._content() else wait
                if time.monotonic() - begun >= patience:
                    return False
                time.sleep(0.1)
                continue
            self._held = True
            self.left_behind = bool(self._content().strip())
            self._write(str(os.getpid()))
            return True

    def holder(self) -> int | None:
        """The process id written in the file, or None when there is none."""
        first = self._content().split()[:1]
        return int(first[0]) if first and first[0].isdigit() else None

    def say_stopping(self) -> None:
        """Let others know that the lock will be free soon."""
        self._write(f"{os.getpid()} {self.STOPPING}")

    def release(self) -> None:
        """Empty and unlock the file; leaves one alone that another process holds."""
        if self._held:
            self._write("")
            self._held = False
        self._file.close()

    def _content(self) -> str:
        self._file.seek(0)
        return self._file.read()

    def _write(self, text: str) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text)
        self._file.flush()
