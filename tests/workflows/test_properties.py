"""Whatever is killed, and whenever: the same result, the same journal, every effect once.

Random programs are run twice: in peace, and with workers that die.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from random import Random
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import transaction
from django.test import TestCase
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from one_project.accounts.models import Event
from one_project.workflows.current import current_work
from one_project.workflows.definitions import step, workflow
from one_project.workflows.engine.context import WorkflowContext
from one_project.workflows.errors import NonRetryable, StepFailed, WaitTimeout
from one_project.workflows.models import RunStatus, WorkflowRun, WorkItem
from one_project.workflows.services import advance as advancing
from one_project.workflows.services import cache
from one_project.workflows.services.advance import advance
from one_project.workflows.services.runs import send_event, start
from one_project.workflows.services.settle import settle
from one_project.workflows.services.sweeping import sweep
from one_project.workflows.types import Claimed, Result, Retry
from tests.people import World
from tests.workflows.by_hand import call, fresh, neglected, pass_time, take
from tests.workflows.samples import note

pytestmark = pytest.mark.django_db

Program = list[Any]

STUBBORN = Retry(attempts=50, initial=0.1, base=1)
FOREVER = 10_000_000
SEEN: set[Any] = set()
ENDS: list[str] = []


@step()
async def act(number: int) -> int:
    return number * 2


@step()
def fails_at_first(number: int) -> int:
    key = current_work().idempotency_key
    if key not in SEEN:
        SEEN.add(key)
        raise ValueError("the first call fails")
    return -number


@step()
def refuses(number: int) -> None:
    raise NonRetryable(f"not {number}")


@step()
def stamp(text: str) -> str:
    return "stamped"


@step(kind="transaction")
def note_fails_at_first(number: int) -> str:
    note.function(f"late {number}")
    if ("note", number) not in SEEN:
        SEEN.add(("note", number))
        raise ValueError("the first call fails")
    return "late"


@step(kind="transaction")
def ends(result: Result, context: Any) -> None:
    note.function(f"ended {result.kind}")


@workflow(retry=STUBBORN)
async def interpret(ctx: WorkflowContext, program: Program) -> list[Any]:
    return [await perform(ctx, each) for each in program]


async def perform(ctx: WorkflowContext, instruction: Program) -> Any:  # noqa: C901
    match instruction:
        case ["act", number]:
            return await ctx.run_step(act, number)
        case ["fails at first", number]:
            return await ctx.run_step(fails_at_first, number)
        case ["refused", number]:
            try:
                return await ctx.run_step(refuses, number)
            except StepFailed as error:
                return f"{error.kind}: {error}"
        case ["note", number]:
            return await ctx.run_step(note, f"note {number}")
        case ["note fails at first", number]:
            return await ctx.run_step(note_fails_at_first, number)
        case ["sleep", seconds]:
            await ctx.sleep(seconds)
            return "slept"
        case ["event", name]:
            return await ctx.wait_event(name, str)
        case ["no event", name]:
            try:
                return await ctx.wait_event(name, timeout=5)
            except WaitTimeout:
                return "too late"
        case ["chance"]:
            text = f"{ctx.random()} {ctx.now()} {ctx.uuid()}"
            return await ctx.run_step(stamp, text)
        case ["first", number]:
            winner = await ctx.first(ctx.sleep(FOREVER), ctx.run_step(act, number))
            return list(winner)
        case ["map", numbers, limit]:
            return await ctx.map(act, numbers, limit=limit)
        case ["child", program]:
            return await ctx.run_workflow(interpret, program)
        case ["gather", *branches]:
            return await ctx.gather(*(perform(ctx, each) for each in branches))
        case ["branch", *steps]:
            return [await perform(ctx, each) for each in steps]
    raise AssertionError(instruction)


NUMBERS = st.integers(0, 9)
LEAVES = st.one_of(
    st.tuples(
        st.sampled_from(
            ["act", "fails at first", "refused", "note", "note fails at first", "first"]
        ),
        NUMBERS,
    ),
    st.tuples(st.just("sleep"), st.sampled_from([0, 1, 60])),
    st.tuples(st.just("map"), st.lists(NUMBERS, max_size=4), st.integers(1, 3)),
    st.sampled_from([("event", ""), ("no event", "never"), ("chance",)]),
)
INSTRUCTIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda each: ("gather", *each)),
        st.lists(inner, max_size=3).map(lambda each: ("branch", *each)),
        st.lists(LEAVES, max_size=2).map(lambda each: ("child", each)),
    ),
    max_leaves=6,
)
BRANCHES = st.lists(
    st.lists(LEAVES, min_size=2, max_size=3).map(lambda each: ("branch", *each)),
    min_size=2,
    max_size=3,
).map(lambda each: ("gather", *each))
PROGRAMS = st.tuples(st.lists(INSTRUCTIONS, max_size=2), BRANCHES).map(
    lambda both: [*both[0], both[1]]
)

DEATHS = [
    "none",
    "before the effect",
    "before the record",
    "before the run goes on",
    "in a turn",
    "at the end of a turn",
    "memory lost",
]


def named(program: Any, numbers: Iterator[int], *, child: bool = False) -> Any:
    """The program as JSON has it; every event of the run has a name of its own."""
    if isinstance(program, list | tuple):
        if program[:1] == ("event",):
            # Nobody outside knows a child to send it an event.
            return ["no event", "child"] if child else ["event", f"event {next(numbers)}"]
        inside = child or program[:1] == ("child",)
        return [named(each, numbers, child=inside) for each in program]
    return program


@contextmanager
def deadly(point: str) -> Iterator[None]:
    """The process dies at the end of what ``point`` does."""
    original = getattr(advancing, point)

    def dies(*args: Any) -> Any:
        original(*args)
        raise Killed

    with patch.object(advancing, point, dies):
        yield


class Killed(BaseException):
    pass


class Life:
    """Workers that do what is to be done, and die as the list of deaths has it."""

    def __init__(self, deaths: list[str], chance: Random | None = None) -> None:
        self._deaths = list(deaths)
        self._chance = chance

    def live(self, run: WorkflowRun) -> None:
        for _ in range(400):
            if not fresh(run).is_open:
                return
            found = sweep()
            for run_id in found.picked_up:
                self.turn(run_id, picked_up=True)
            for run_id in found.settled:
                self.turn(run_id)
            for work in self.some(take()):
                self.work(work)
            pass_time(400)
        raise AssertionError(f"it never ends: {fresh(run).status}, {neglected()}")

    def some(self, works: list[Claimed]) -> list[Claimed]:
        """In any order, as they come to an end."""
        if self._chance is not None:
            self._chance.shuffle(works)
        return works

    def death(self) -> str:
        return self._deaths.pop() if self._deaths else "none"

    def turn(self, run_id: UUID, *, picked_up: bool = False) -> None:
        death = self.death()
        point = {"in a turn": "take_commands", "at the end of a turn": "_suspend"}.get(death)
        # What follows a commit, as keeping the run in memory, is done here, too.
        with TestCase.captureOnCommitCallbacks(execute=True):
            if point is None:
                if death == "memory lost":
                    cache.forget()
                advance(run_id, picked_up=picked_up)
                return
            try:
                with deadly(point):
                    advance(run_id, picked_up=picked_up)
            except Killed:
                return

    def work(self, work: Claimed) -> None:
        death = self.death()
        if death == "before the effect":
            return
        outcome = call(work)
        if death == "before the record":
            return
        settle(work, outcome)
        if death != "before the run goes on" and work.run_id:
            self.turn(work.run_id)


def journal(run: WorkflowRun) -> Any:
    """What was done, whoever was first in branches that are independent of each other."""
    rows = WorkItem.objects.filter(run=run)
    steps = Counter(
        (row.name, row.kind, row.function, row.status, repr(row.result), row.error_message)
        for row in rows
    )
    children = WorkflowRun.objects.filter(parent_step__run=run)
    # Sorted: two equal counters may be written in two ways.
    inside = (journal(child) for child in children)
    return steps, Counter(repr([sorted(part.items()) for part in found]) for found in inside)


def outcome(program: Program, deaths: list[str], chance: Random | None = None) -> Any:
    """All that can be seen of a run of the program, in a world that is thrown away."""
    SEEN.clear()
    cache.forget()
    with transaction.atomic():
        run = start(interpret, program, on_complete=ends)
        for name in events_of(program):
            send_event(run, name, f"payload of {name}")
        Life(deaths, chance).live(run)
        run = fresh(run)
        order = list(
            WorkItem.objects.filter(run=run, settled_seq__gt=0).values_list(
                "settled_seq", flat=True
            )
        )
        assert len(order) == len(set(order)), "results have one order"
        assert neglected() == []
        effects = Counter(Event.objects.values_list("kind", flat=True))
        found = (run.status, run.result, run.error, journal(run), effects)
        transaction.set_rollback(True)
    return found


def events_of(program: Any) -> list[str]:
    if isinstance(program, list):
        if program[:1] == ["event"]:
            return [program[1]]
        return [name for each in program for name in events_of(each)]
    return []


@settings(
    max_examples=12,
    phases=[Phase.generate],  # no shrinking: a failure is told within seconds
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    program=PROGRAMS,
    deaths=st.lists(st.sampled_from(DEATHS), min_size=4, max_size=8),
    chance=st.randoms(use_true_random=False, note_method_calls=False),
)
def test_a_run_among_dying_workers_is_like_one_in_peace(
    world: World, program: Program, deaths: list[str], chance: Random
) -> None:
    code = named(program, count())
    peaceful = outcome(code, [])
    assert peaceful[0] == RunStatus.SUCCESS
    assert peaceful[4]["ended success"] == 1
    assert outcome(code, deaths, chance) == peaceful
