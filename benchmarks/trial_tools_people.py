"""People of the trial: those who ask, and one who decides about what waits for approval."""

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db import DatabaseError, connection

from agents_app.errors import ApprovalGone
from agents_app.models import ToolCall
from agents_app.services.approvals import approve_call, deny_call, edit_and_approve
from benchmarks.tools_people import Place, post_question
from chat_app.models import Turn
from one_project.common.errors import AppError

PLANS = (
    "read+write",
    "write external",
    "asked",
    "read asked+external",
    "external+asked write",
    "delegate",
    "write+asked delegate",
    "read write external asked",
    "read+read+write asked+asked",
)
ANSWERED_WITHIN = 120.0  # seconds; later means stuck
LOOK_EVERY = 0.1


@dataclass(slots=True)
class Asked:
    """One question; its plan has the id ``name``."""

    place: Place
    key: UUID
    name: str
    plan: str
    accepted: bool = False

    @property
    def text(self) -> str:
        return f"plan {self.name} {self.plan}"


class Asker(threading.Thread):
    """One person asking one question after the other."""

    def __init__(self, host: str, place: Place, number: int, seed: int) -> None:
        super().__init__(name=f"asker-{number}", daemon=True)
        self.host, self.place, self.number = host, place, number
        self.chance = random.Random(seed * 1000 + number)
        self.asked: list[Asked] = []
        self.enough = threading.Event()

    def run(self) -> None:
        try:
            self._ask_until_enough()
        finally:
            connection.close()

    def _ask_until_enough(self) -> None:
        while not self.enough.is_set():
            name = f"p{self.number}q{len(self.asked)}"
            asked = Asked(self.place, uuid4(), name, self.chance.choice(PLANS))
            self.asked.append(asked)
            until = time.monotonic() + ANSWERED_WITHIN
            while not asked.accepted and time.monotonic() < until:
                asked.accepted = self._sent(asked)
            while not _answered(asked) and time.monotonic() < until:
                time.sleep(LOOK_EVERY)

    def _sent(self, asked: Asked) -> bool:
        try:
            if post_question(self.host, self.place, asked.text, asked.key):
                return True
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(LOOK_EVERY)
        return False


def _answered(asked: Asked) -> bool:
    try:
        return not Turn.objects.open().filter(client_key=asked.key).exists()
    except DatabaseError:
        connection.close()
        return False


class Decider(threading.Thread):
    """Approves most calls, often twice at the same moment; denies or changes some."""

    def __init__(self, seed: int) -> None:
        super().__init__(name="decider", daemon=True)
        self.chance = random.Random(seed)
        self.over = threading.Event()
        self.approved = threading.Event()  # for whoever kills right afterwards
        self.decided: Counter[str] = Counter()
        self._browsers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="browser")

    def run(self) -> None:
        # The connection is kept: six people who connect for each look would keep a core busy.
        while not self.over.wait(0.05):
            try:
                waiting = ToolCall.objects.awaiting_approval().select_related(
                    "organisation", "agent", "requested_by"
                )
                for call in waiting.in_order()[:20]:
                    self._decide(call)
            except DatabaseError:
                connection.close()
        connection.close()

    def _decide(self, call: ToolCall) -> None:
        person = call.requested_by
        assert person is not None
        share = self.chance.random()
        if share < 0.1:
            self._count("denied", [lambda: deny_call(call, by=person, reason="Not today.")])
        elif share < 0.2:
            changed = {"key": f"{call.arguments['key']}.changed"}
            change = lambda: edit_and_approve(call, by=person, arguments=changed)  # noqa: E731
            self._count("changed", [change])
        else:
            approve = lambda: approve_call(call, by=person, args=call.args_hash)  # noqa: E731
            self._count("approved", [approve] * (2 if share < 0.6 else 1))

    def _count(self, name: str, tries: list[Callable[[], Any]]) -> None:
        done = sum(self._browsers.map(_took_place, tries))
        self.decided[name] += min(done, 1)
        if done > 1:
            self.decided["twice"] += 1
        if name != "denied" and done:
            self.approved.set()


def _took_place(decide: Callable[[], Any]) -> bool:
    try:
        decide()
    except ApprovalGone:
        return False
    except (AppError, DatabaseError):
        return False
    finally:
        connection.close()
    return True
