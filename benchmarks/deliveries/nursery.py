"""A process that has loaded everything and makes workers by fork, so that a new one takes
milliseconds. Run it as a module; it reads ``start NAME CRASH LOG`` lines and answers pids."""

import ctypes
import importlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


class Nursery:
    """Workers by name. ``kill`` is ``kill -9`` by the pid that the nursery told."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.pids: dict[str, int] = {}
        with (folder / "nursery.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.deliveries.nursery"],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )
        self._told()  # it is ready

    def _told(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            text = (self._folder / "nursery.log").read_text()[-2000:]
            raise RuntimeError(f"the nursery has ended:\n{text}")
        return line

    def start(self, name: str, crash: str = "-") -> int:
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(f"start {name} {crash or '-'} {self._folder / name}.log\n")
            self._process.stdin.flush()
            self.pids[name] = int(self._told())
            return self.pids[name]

    def is_alive(self, name: str) -> bool:
        try:
            os.kill(self.pids[name], 0)
        except (ProcessLookupError, KeyError):
            return False
        return True

    def kill(self, name: str, sign: int = signal.SIGKILL) -> None:
        pid = self.pids.pop(name, None)
        if pid is not None:
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                return

    def close(self) -> None:
        for name in list(self.pids):
            self.kill(name)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _work(crash: str, log: str) -> None:
    """The child: an engine, until it is ended."""
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))  # goes with its parent
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDONLY) if number == 0 else output, number)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    from one_project.common import crash_points
    from one_project.workflows.worker.engine import Engine

    if crash != "-":
        name, _, count = crash.partition(":")
        crash_points._name, crash_points._left = name, [int(count or 1)]
    engine = Engine()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    engine.start()
    over.wait()
    engine.stop()
    os._exit(0)


def main() -> None:
    import django

    django.setup()
    importlib.import_module("benchmarks.deliveries.samples")
    importlib.import_module("one_project.workflows.worker.engine")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        _, _, crash, log = line.split()
        pid = os.fork()
        if pid == 0:
            _work(crash, log)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
