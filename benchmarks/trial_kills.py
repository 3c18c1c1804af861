"""``kill -9``, and starting again at once."""

import os
import random
import signal
from contextlib import suppress

import psutil

from benchmarks import processes
from benchmarks.stack import GROUPS, Stack
from one_project.embedded.postgres import EmbeddedPostgres
from one_project.embedded.redis import EmbeddedRedis


class Killer:
    """Chooses what dies: every kind once in a shuffled round, round after round."""

    def __init__(self, stack: Stack, chance: random.Random) -> None:
        self.stack, self.chance = stack, chance
        self.killed = dict.fromkeys(GROUPS, 0)
        self._round: list[str] = []

    def strike(self) -> str:
        """Kill the next one and start it again; returns its name. Does not wait for it."""
        if not self._round:
            self._round = list(GROUPS)
            self.chance.shuffle(self._round)
        name = self._round.pop()
        self.killed[name] += 1
        if name in {"web", "worker"}:
            self._strike_application(name)
        else:
            self._strike_server(name)
        return name

    def _strike_application(self, name: str) -> None:
        process = self.stack.web if name == "web" else self.stack.worker
        if process is not None:
            process.kill()
            process.wait()
        if name == "web":
            self.stack.start_web()
        else:
            self.stack.start_worker()

    def _strike_server(self, name: str) -> None:
        """The keeper dies, too: it would wait longer before each new start."""
        server: EmbeddedPostgres | EmbeddedRedis = (
            self.stack.postgres if name == "postgres" else self.stack.redis
        )
        with suppress(LookupError, OSError, ValueError, psutil.Error):
            pid = self.stack.pids()[name]
            keeper = psutil.Process(pid).ppid()
            os.kill(pid, signal.SIGKILL)
            if keeper in {child.pid for child in psutil.Process().children()}:
                os.kill(keeper, signal.SIGKILL)
                os.waitid(os.P_PID, keeper, os.WEXITED | os.WNOWAIT)
        with processes.placed(self.stack.app_core, first=self.stack.first):
            server.ensure()
