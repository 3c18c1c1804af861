"""Worker processes that end themselves at a crash point (``one_project.common.crash_points``).

Each is a fork of one process that has loaded everything. Its model asks for a tool once and then
answers in words, whatever worker asks it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import django

LIVES = 60  # seconds at most


class CrashingWorkers:
    """Where they are made; close it in the end. ``log`` is where they write their errors."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chat.crashing_worker"],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
            )

    def run(self, tool: str, point: str) -> int:
        """Have one work until it has ended; returns how, negative for a signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{tool} {point}\n")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"no worker was made:\n{self.said()}")
        return int(line)

    def said(self) -> str:
        return self._log.read_text()[-4000:]

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.kill()
        self._process.wait()


def main() -> None:
    django.setup()
    # Loaded here, so that no child has to.
    from tests.chat import test_engine, tools  # noqa: F401

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                work(*line.split())
            except BaseException as error:
                sys.stderr.write(f"{line.strip()}: {error!r}\n")
                sys.stderr.flush()
            finally:
                os._exit(1)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


def work(tool: str, point: str) -> None:
    signal.alarm(LIVES)
    from one_project.common import crash_points
    from tests.chat.test_engine import running_engine
    from tests.chat.tools import registered_tools

    crash_points._name, crash_points._left = point, [1]
    with registered_tools(), running_engine(follows(tool)):
        time.sleep(LIVES)


def follows(tool: str):
    """A model that reads off the request what comes next."""
    from agents_app.providers.base import ChatRequest, StreamEvent
    from agents_app.providers.scripted import ScriptedModel
    from tests.chat.tools import call

    class Follows(ScriptedModel):
        async def stream(self, request: ChatRequest) -> AsyncGenerator[list[StreamEvent], None]:
            self.enqueue("Done." if request.messages[-1].role == "tool" else [call(tool)])
            async for events in super().stream(request):
                yield events

    return Follows()


if __name__ == "__main__":
    main()
