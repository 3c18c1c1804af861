"""Start programs for the tests and look at what runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from one_project.embedded.keep import process_start

ROOT = Path(__file__).resolve().parent.parent.parent


def wait_until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Return as soon as ``condition`` holds; fail after ``seconds``."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds:g} s"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether ``pid`` is a live process, zombies not counted."""
    return process_start(pid) is not None


def parent_of(pid: int) -> int:
    """The parent of ``pid``; 0 when it is gone."""
    try:
        return psutil.Process(pid).ppid()
    except psutil.NoSuchProcess:
        return 0


def below(pid: int) -> set[int]:
    """All descendants of ``pid``."""
    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


@contextmanager
def python(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python with ``arguments`` from the repository; killed with all below it afterwards."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        for pid in [process.pid, *below(process.pid)] if process.poll() is None else []:
            with suppress(ProcessLookupError):  # it may go with the one before
                os.kill(pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """The lines ``process`` prints, up to and with the first that holds ``text``."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if text in line:
            return lines
    raise AssertionError(f"{text!r} was never printed:\n" + "\n".join(lines))
