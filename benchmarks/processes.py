"""Child processes on chosen cores, and what the kernel says they used."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
STOP_WITHIN = 3.0  # seconds; Daphne with open sockets never ends by itself


def cores() -> tuple[int, int]:
    """The core of the application and the core of the load (the same on a machine with one)."""
    usable = sorted(psutil.Process().cpu_affinity() or [0])
    return usable[0], usable[-1] if len(usable) < 3 else usable[1]


@contextmanager
def placed(core: int, *, first: bool = False) -> Iterator[None]:
    """Processes started within the block, and all they start, run on ``core``.

    Affinity is inherited, and set on a running process it would miss its other threads. ``first``
    (where root allows it) also gives them the core before ordinary programs of a busy machine; a
    better ``nice`` would not, since Linux weighs sessions against each other first. With
    ``CORES=all`` nothing is bound to a core.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if os.environ.get("CORES") == "all" else {core})
    if first:
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        if first:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def start(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start ``command`` in the project's folder; it dies with this process."""
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )


_library = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _library.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def stop(process: subprocess.Popen[bytes] | None) -> None:
    """End the process, kindly for 3 s; returns when it is gone."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tree(pid: int) -> list[psutil.Process]:
    """The process and all below it; empty when it is gone."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.Error:
        return []


def cpu_seconds(pid: int) -> float:
    """User + system time of the process, its living and its ended children."""
    ticks = 0
    for process in tree(pid):
        with suppress(OSError, IndexError):
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def rss_mib(pid: int) -> float:
    """Resident memory of the process and all below it, MiB (shared pages count each time)."""
    total = 0
    for process in tree(pid):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 2**20


def child_named(name: str) -> int:
    """The pid of our own descendant called ``name``; raises LookupError."""
    for process in tree(os.getpid()):
        with suppress(psutil.Error):
            if process.name() == name:
                return process.pid
    raise LookupError(f"no process {name} below this one")


class MachineLoad:
    """How busy everybody kept the machine since this was made, in cores."""

    def __init__(self) -> None:
        self._since, self._busy = time.monotonic(), _busy_seconds()

    def cores(self) -> float:
        return (_busy_seconds() - self._busy) / max(time.monotonic() - self._since, 0.001)


def _busy_seconds() -> float:
    spent = psutil.cpu_times()
    return spent.user + spent.nice + spent.system + spent.irq + spent.softirq
