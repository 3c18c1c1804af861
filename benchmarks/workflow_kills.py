"""``kill -9`` for workers, beat, Redis and Postgres; what a killed worker held is noted."""

import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import redis
from django.db import DatabaseError, connection

from benchmarks.stack import Stack
from benchmarks.trial_kills import Killer
from benchmarks.workflow_processes import Workers

HELD_WITHIN = 4.0  # seconds to ask what a worker held; its leases end later
FLUSH_EVERY = 7  # kills
BACK_WITHIN = 60.0  # seconds for Postgres to take statements again


@dataclass(slots=True)
class Strike:
    """Something was killed at ``at`` (seconds since 1970).

    ``held`` are the pieces of work that ran in a worker; ``away`` is how long Postgres took.
    """

    name: str
    at: float
    pid: int = 0
    held: list[UUID] = field(default_factory=list)
    away: float = 0.0
    back: threading.Event = field(default_factory=threading.Event)


class WorkflowKiller(Killer):
    """Each kind once in a shuffled round, as for turns; Redis is emptied now and then."""

    def __init__(self, stack: Stack, workers: Workers, chance: random.Random) -> None:
        super().__init__(stack, chance)
        self.workers = workers
        self.kinds = [*workers.names, "redis", "postgres"]
        self.killed = dict.fromkeys(self.kinds, 0)
        self.strikes: list[Strike] = []
        self.flushes = 0

    def strike(self) -> str:
        """Kill the next one and start it again at once; returns its name."""
        if not self._round:
            self._round = list(self.kinds)
            self.chance.shuffle(self._round)
        name = self._round.pop()
        self.killed[name] += 1
        strike = Strike(name, time.time())
        self.strikes.append(strike)
        if name in {"redis", "postgres"}:
            self._strike_server(name)
            if name == "postgres":
                threading.Thread(target=_time_absence, args=(strike,), daemon=True).start()
        else:
            strike.pid = self.workers.strike(name)
            self.workers.start(name)
            if name != "beat":
                strike.held = _held_by(strike.pid)
        if len(self.strikes) % FLUSH_EVERY == 0:
            self._flush()
        return name

    def wait_for_postgres(self) -> None:
        """Return once it answers again, should it be away."""
        for strike in self.strikes[-len(self.kinds) :]:
            if strike.name == "postgres":
                strike.back.wait(BACK_WITHIN)

    def _flush(self) -> None:
        with suppress(redis.RedisError, OSError):
            url = self.stack.environment["REDIS_URL"]
            with redis.Redis.from_url(url, socket_timeout=1.0) as client:
                client.flushall()
            self.flushes += 1


def _time_absence(strike: Strike) -> None:
    """Note when Postgres answers again, or how long it has not."""
    while strike.away < BACK_WITHIN:
        strike.away = time.time() - strike.at
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            break
        except DatabaseError:
            time.sleep(0.05)
        finally:
            connection.close()
    strike.back.set()


def _held_by(pid: int) -> list[UUID]:
    """Workers are called ``host:pid:hex``; until its lease ends, a row says who had it."""
    until = time.monotonic() + HELD_WITHIN
    while time.monotonic() < until:
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT id FROM workflows_workitem"
                    " WHERE status = 'running' AND split_part(worker, ':', 2) = %s",
                    [str(pid)],
                )
                return [row[0] for row in cursor.fetchall()]
        except DatabaseError:
            time.sleep(0.1)
        finally:
            connection.close()
    return []
