"""``kill -9`` for workers: at named points of the code, right after an approval, in the middle of
an effect, and at any moment."""

import random
import threading
import time
from collections import Counter

from django.db import DatabaseError, connection

from benchmarks.tools_effects import Effects
from benchmarks.trial_tools_people import Decider
from benchmarks.workflow_processes import Workers

POINTS = ("model_answered", "tool_begun", "tool_effect_done")
FATES = (*POINTS, "after_approval", "in_effect", "any_moment")
PASSES = 6  # a named point is deadly at its first to sixth passing
BUSY_WITHIN = 30.0  # seconds for a new worker to take work
DEAD_WITHIN = 6.0  # seconds for its fate to come; then it dies at that moment
HELD = "SELECT EXISTS (SELECT 1 FROM workflows_workitem WHERE split_part(worker, ':', 2) = %s)"


class Kills:
    """How many are left, for several who kill."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.done: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether there is one more, which is the caller's then."""
        with self._lock:
            self.left -= 1
            return self.left >= 0

    def note(self, fate: str) -> int:
        """It has happened; returns how many have."""
        with self._lock:
            self.done[fate] += 1
            return self.done.total()


class Killer(threading.Thread):
    """Kills one of the workers again and again, and starts it anew at once; not after the last
    time, as what a thread has started ends with the thread."""

    def __init__(
        self,
        workers: Workers,
        name: str,
        kills: Kills,
        decider: Decider,
        effects: Effects,
        chance: random.Random,
    ) -> None:
        super().__init__(name=f"killer of {name}", daemon=True)
        self.workers, self.worker, self.kills = workers, name, kills
        self.decider, self.effects, self.chance = decider, effects, chance
        self._round: list[str] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while self.kills.take():
                self._kill_once()
        except BaseException as error:
            self.failure = error
        finally:
            connection.close()

    def _kill_once(self) -> None:
        if not self._round:
            self._round = list(FATES)
            self.chance.shuffle(self._round)
        fate = self._round.pop()
        deadly = f"{fate}:{self.chance.randint(1, PASSES)}" if fate in POINTS else ""
        self.workers.start(self.worker, ONE_CRASH_AT=deadly)
        self._wait_until_busy()
        if fate in POINTS:
            fate = fate if self._died_by_itself() else "any_moment"
        elif fate == "after_approval":
            self._at(self.decider.approved, 0.1)
        elif fate == "in_effect":
            self._at(self.effects.moment, 0.15)
        else:
            time.sleep(self.chance.uniform(0.1, 2.0))
        self.workers.strike(self.worker)
        done = self.kills.note(fate)
        if done % 10 == 0:
            print(f"  {done} kills", flush=True)

    def _at(self, moment: threading.Event, within: float) -> None:
        moment.clear()
        moment.wait(DEAD_WITHIN)
        time.sleep(self.chance.uniform(0.0, within))

    def _died_by_itself(self) -> bool:
        until = time.monotonic() + DEAD_WITHIN
        while time.monotonic() < until:
            if self.workers.running[self.worker].poll() is not None:
                return True
            time.sleep(0.02)
        return False

    def _wait_until_busy(self) -> None:
        """Return once it has taken a piece of work (workers are called ``host:pid:hex``)."""
        process = self.workers.running[self.worker]
        until = time.monotonic() + BUSY_WITHIN
        while time.monotonic() < until and process.poll() is None:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(HELD, [str(process.pid)])
                    if cursor.fetchone()[0]:
                        return
            except DatabaseError:
                connection.close()
            time.sleep(0.05)
