"""Start and stop a server under its own keeper (``one_project.embedded.keep``)."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from one_project.embedded import keep
from one_project.embedded.identity import Identity

# The program by path and without site-packages: starts in a tenth of the time, from anywhere.
KEEPER = [sys.executable, "-I", "-S", str(Path(keep.__file__).resolve())]


def keep_arguments(
    name: str,
    command: list[str],
    *,
    stop_signal: str = "TERM",
    death_signal: str = "KILL",
    grace: float = 4.0,
    delay: float = 0.0,
    identity: Identity | None = None,
) -> dict[str, str]:
    """The environment that tells a keeper what to run; ``grace`` and ``delay`` in seconds."""
    options = [name, "--stop-signal", stop_signal, "--death-signal", death_signal]
    options += ["--grace", str(grace), "--delay", str(delay)]
    who = identity or Identity()
    if who.user is not None:
        options += ["--uid", str(who.user[0]), "--gid", str(who.user[1])]
    return {
        keep.ARGUMENTS: json.dumps([*options, "--", *who.command(command, death_signal)]),
        keep.LAUNCHER: str(os.getpid()),
    }


@dataclass
class KeptServer:
    """One server process with its keeper; its output goes to ``log``.

    ``grace`` is how many seconds the server has to stop before it is killed.
    """

    name: str
    command: list[str]
    log: Path
    identity: Identity
    stop_signal: str = "TERM"
    death_signal: str = "KILL"
    grace: float = 3.0
    environment: Mapping[str, str] = field(default_factory=dict)
    _keeper: subprocess.Popen[bytes] | None = None
    _log_from: int = 0

    def ensure(self) -> None:
        """Start the keeper, or start it again when somebody has killed it."""
        if self._keeper is not None and self._keeper.poll() is None:
            return
        told = keep_arguments(
            self.name,
            self.command,
            stop_signal=self.stop_signal,
            death_signal=self.death_signal,
            grace=self.grace,
            identity=self.identity,
        )
        with self.log.open("ab") as log:
            self._log_from = log.tell()
            self._keeper = subprocess.Popen(  # noqa: S603 - our own program
                KEEPER,
                cwd="/",
                # Nothing else: the servers need no keys, and PG* variables would mislead them.
                env={"PATH": os.environ.get("PATH", os.defpath), **self.environment, **told},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal is for the launcher, which stops things in order.
                start_new_session=True,
            )

    def stop(self) -> None:
        """Stop the server and its keeper; returns when both are gone."""
        if self._keeper is None:
            return
        self._keeper.terminate()
        try:
            self._keeper.wait(self.grace + 2)
        except subprocess.TimeoutExpired:
            self._keeper.kill()  # the kernel then sends the server its death signal
            self._keeper.wait()
        self._keeper = None

    def recent_log(self, lines: int = 8) -> str:
        """The last ``lines`` lines since the last start, for an error message."""
        with suppress(OSError), self.log.open("rb") as log:
            log.seek(self._log_from)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        return ""


def signal_until_gone(pid: int, steps: list[tuple[signal.Signals, float]]) -> bool:
    """Send each signal in turn and wait its seconds for ``pid`` to end; False if it never does."""
    for number, seconds in steps:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if keep.process_start(pid) is None:
                return True
            time.sleep(0.02)
    return keep.process_start(pid) is None
