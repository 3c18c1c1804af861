"""Workers that know the sample workflows, and beat."""

import subprocess
import sys
import time
from dataclasses import dataclass, field

from benchmarks import processes
from benchmarks.stack import READY_WITHIN, Stack
from benchmarks.workflow_samples import EFFECTS

CREATE = """
    CREATE TABLE benchmark_rows (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        number integer NOT NULL,
        name text NOT NULL
    )
"""
FALLEN_MOST = 20


@dataclass
class Workers:
    """``names`` are worker-1, worker-2, ... and beat; each is one process."""

    stack: Stack
    count: int = 1
    with_beat: bool = False
    module: str = "benchmarks.workflow_samples"  # what workers import besides
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    fallen: int = 0  # ended by themselves

    @property
    def names(self) -> list[str]:
        names = [f"worker-{number + 1}" for number in range(self.count)]
        return [*names, "beat"] if self.with_beat else names

    def start_all(self) -> None:
        """Start all of them; returns when the workers' engines listen."""
        self.make_ready()
        for name in self.names:
            self.start(name)
        self._wait()

    def make_ready(self) -> None:
        """What has to be there before one starts."""
        create_table()
        self.stack.environment[EFFECTS] = str(self.stack.folder / "effects.txt")

    def start(self, name: str, **environment: str) -> None:
        """Start the one of this name, with ``environment`` besides; does not wait."""
        command = [sys.executable, "-m", "celery", "-A", "one_project"]
        if name == "beat":
            command += ["beat", "--pidfile=", "-s", str(self.stack.folder / "beat-schedule")]
        else:
            command += ["worker", "-n", f"{name}@benchmark", "-I", self.module]
            command += ["--pool", "threads", "--concurrency", "4", "-Q", "celery"]
            command += ["--without-gossip", "--without-mingle"]
        command += ["--loglevel", "WARNING"]
        with processes.placed(self.stack.app_core, first=self.stack.first):
            log = self.stack.folder / f"{name}.log"
            self.running[name] = processes.start(
                command, {**self.stack.environment, **environment}, log
            )

    def strike(self, name: str) -> int:
        """``kill -9``; returns the pid that was killed, when it is gone."""
        process = self.running[name]
        process.kill()
        process.wait()
        return process.pid

    def revive(self) -> None:
        """Start again what has ended by itself. Raises RuntimeError when that never ends."""
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                self.fallen += 1
                if self.fallen > FALLEN_MOST:
                    raise RuntimeError(f"{name} ends by itself:\n{self.stack.log_end(name)}")
                self.start(name)

    def stop_all(self) -> None:
        for process in self.running.values():
            processes.stop(process)
        self.running.clear()

    def complaints(self, lines: int = 40) -> list[str]:
        """Errors in the workers' logs, without what an absent server explains."""
        found = []
        for name in self.names:
            log = self.stack.folder / f"{name}.log"
            text = log.read_text(errors="replace") if log.exists() else ""
            found += [f"{name}: {line}" for line in text.splitlines() if _complains(line)]
        return found[-lines:]

    def _any_ended(self) -> bool:
        return any(process.poll() is not None for process in self.running.values())

    def _wait(self) -> None:
        import redis

        from one_project.workflows.bell import CHANNEL

        until = time.monotonic() + READY_WITHIN
        with redis.Redis.from_url(self.stack.environment["REDIS_URL"]) as client:
            while time.monotonic() < until and not self._any_ended():
                if client.pubsub_numsub(CHANNEL)[0][1] >= self.count:
                    return
                time.sleep(0.05)
        raise TimeoutError(f"the workers are not ready:\n{self.stack.log_end('worker-1')}")


def _complains(line: str) -> bool:
    return "ERROR" in line or "CRITICAL" in line


def create_table() -> None:
    """The table of the transactional effects."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(CREATE)
