"""Turns that use tools, one after the other, timed by the moments their rows carry."""

import time
from dataclasses import dataclass, field
from uuid import UUID

from benchmarks import options
from benchmarks.stack import Stack
from benchmarks.tools_people import guide_of
from chat_app.models import Thread, Turn, TurnStatus
from chat_app.services.conversation import continue_thread
from chat_app.services.threads import create_thread
from one_project.accounts.models import Organisation, User

WITHIN = 60.0  # seconds for one turn
CPU = ("worker", "postgres", "redis")
# Turns of the nested thread are in the time and the CPU of the one that delegates.
PLANS = {
    "no tools": "",
    "1 read": "quick",
    "3 reads, 3 steps": "quick quick quick",
    "1 write": "write",
    "3 writes, 3 steps": "write write write",
    "3 reads, 1 step": "quick+quick+quick",
    "1 delegation": "ask",
}


class NotAnswered(Exception):
    """A turn failed, or did not end in time."""


@dataclass(slots=True)
class Measured:
    """Milliseconds of each turn from question to end; CPU milliseconds of one, by process."""

    times: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)

    @property
    def p50(self) -> float:
        return options.percentile(self.times, 0.5) or 0.0

    @property
    def p95(self) -> float:
        return options.percentile(self.times, 0.95) or 0.0


def measure(
    stack: Stack, organisation: Organisation, user: User, plan: str, turns: int
) -> Measured:
    """``turns`` turns of a plan, each in a thread of its own, one at a time."""
    threads = [
        create_thread(organisation, user=user, agent=guide_of(organisation), title="Measured")
        for _ in range(turns)
    ]
    before, ids = stack.cpu(), []
    for number, thread in enumerate(threads):
        ids.append(_answered(thread, user, f"plan m{number} {plan}".strip()))
    after = stack.cpu()
    found = Measured(cpu={name: 1000 * (after[name] - before[name]) / turns for name in CPU})
    for turn in Turn.objects.filter(pk__in=ids):
        assert turn.finished_at is not None
        found.times.append(1000 * (turn.finished_at - turn.created_at).total_seconds())
    return found


def _answered(thread: Thread, user: User, text: str) -> UUID:
    turn = continue_thread(thread, user=user, message=text)
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        time.sleep(0.02)
        turn.refresh_from_db(fields=["status", "error"])
        if not turn.is_open:
            if turn.status != TurnStatus.SUCCESS:
                raise NotAnswered(f"{text}: {turn.status} {turn.error}")
            return turn.pk
    raise NotAnswered(f"{text}: not within {WITHIN:g} s")
