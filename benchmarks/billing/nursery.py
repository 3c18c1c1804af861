"""A process that has loaded everything and makes billers (``manage.py bill``) by fork, at once.

Run it as a module. ``bill PERIOD ZONE CRASH LOG`` starts one (PERIOD ``due``: without a month;
CRASH ``point:times`` or ``-``) and answers its pid; ``wait PID`` answers how it ended, as a return
code, negative for a signal.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ENDS_WITHIN = 120  # seconds


class Nursery:
    """Billers by pid, all of them our own; ``kill`` is ``kill -9``."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._log = folder / "billers.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.billing.nursery"],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )
        self._answer()  # it is ready
        self._running: set[int] = set()

    def start(self, period: str, zone: str, crash: str = "-") -> int:
        pid = int(self._ask(f"bill {period} {zone} {crash} {self._log}"))
        self._running.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        if pid in self._running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait(self, pid: int) -> int:
        """Return how it ended."""
        code = int(self._ask(f"wait {pid}"))
        self._running.discard(pid)
        return code

    def said(self) -> str:
        return self._log.read_text()[-3000:]

    def close(self) -> None:
        for pid in set(self._running):
            self.kill(pid)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"the nursery has ended:\n{self.said()}")
        return line


def _bill(period: str, zone: str, crash: str, log: str) -> None:
    """The child: one run of the command."""
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))  # goes with its parent
    signal.alarm(ENDS_WITHIN)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDONLY) if number == 0 else output, number)
    os.environ["TZ"] = zone
    time.tzset()
    from django.core.management import call_command

    from one_project.common import crash_points

    if crash != "-":
        name, _, count = crash.partition(":")
        crash_points._name, crash_points._left = name, [int(count or 1)]
    call_command("bill", *([] if period == "due" else [f"--period={period}"]))


def main() -> None:
    import django
    from django.conf import settings

    django.setup()
    # A pool has threads, which do not survive a fork.
    settings.DATABASES["default"]["OPTIONS"].pop("pool", None)
    print("ready", flush=True)
    for line in sys.stdin:
        verb, *values = line.split()
        if verb == "wait":
            _, status = os.waitpid(int(values[0]), 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                _bill(*values)
                code = 0
            except BaseException as error:
                print(f"{values}: {error!r}", file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
