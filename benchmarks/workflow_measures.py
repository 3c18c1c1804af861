"""What steps and runs cost: started here, timed by the moments their rows carry."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from benchmarks import options
from benchmarks.workflow_rows import fetch
from benchmarks.workflow_samples import (
    POOL,
    actions_in_turn,
    empty,
    gathers,
    maps,
    rows_in_turn,
)
from one_project.workflows.definitions import Workflow
from one_project.workflows.services.pools import set_parallelism
from one_project.workflows.services.runs import start

CHAIN = 50  # steps
REPEATS = 5
EMPTY_RUNS = 20
STEPS_OF_MANY = 5
WITHIN = 180.0  # seconds for anything here to end

_TIMES = """
    SELECT count(*) FILTER (WHERE status = 'success'),
           count(*) FILTER (WHERE status NOT IN ('running', 'success')),
           max(extract(epoch FROM finished_at - created_at))::float8,
           extract(epoch FROM max(finished_at))::float8
      FROM workflows_workflowrun WHERE id = ANY(%s)
"""
_ERROR = """
    SELECT concat_ws(' ', status, error->>'kind', error->>'message') FROM workflows_workflowrun
     WHERE id = ANY(%s) AND status NOT IN ('running', 'success') LIMIT 1
"""


class NotFinished(Exception):
    """Runs failed, or did not end in time."""


def await_runs(ids: list[UUID], *, every: float = 0.02) -> tuple[float, float]:
    """When all have succeeded: the longest from start to end in seconds, and the last end."""
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        done, failed, longest, last = fetch(_TIMES, [ids])[0]
        if failed:
            raise NotFinished(f"{failed} of {len(ids)} runs failed: {fetch(_ERROR, [ids])[0][0]}")
        if done == len(ids):
            return longest, last
        time.sleep(every)
    raise NotFinished(f"{done} of {len(ids)} runs ended within {WITHIN:g} s")


def one_by_one(workflow: Workflow[..., Any], repeats: int, *args: Any) -> list[float]:
    """Seconds from the start to the end of each run, one run at a time."""
    return [await_runs([start(workflow, *args).pk])[0] for _ in range(repeats)]


def per_second(workflow: Workflow[..., Any], runs: int) -> float:
    """Runs of five steps that end in a second, their starts included, each start by itself."""
    began = time.time()
    ids = [start(workflow, STEPS_OF_MANY).pk for _ in range(runs)]
    _, last = await_runs(ids, every=0.2)
    return runs / (last - began)


def milliseconds(seconds: list[float], steps: int = 1) -> float | None:
    """The median, of one step."""
    median = options.percentile(seconds, 0.5)
    return None if median is None else 1000 * median / steps


def start_cost(runs: int) -> float | None:
    """Milliseconds for one ``start()`` and its commit."""
    times, ids = [], []
    for _ in range(runs):
        began = time.perf_counter()
        ids.append(start(empty).pk)
        times.append(time.perf_counter() - began)
    await_runs(ids)
    return milliseconds(times)


def attempt(name: str, measure: Callable[[], float | None]) -> float | None:
    """A measurement that fails is said and leaves a gap."""
    options.say(f"  {name} ...")
    try:
        return measure()
    except NotFinished as error:
        options.say(f"    not measured: {error}")
        return None


def measure_steps(runs: int, long: int, fan: int) -> dict[str, float | None]:
    """All figures of steps and runs, by name."""
    set_parallelism(POOL, None)
    for workflow in (rows_in_turn, actions_in_turn):
        attempt("warming up", partial(lambda chosen: one_by_one(chosen, 2, CHAIN)[0], workflow))
    measures: dict[str, Callable[[], float | None]] = {
        "empty_ms": lambda: milliseconds(one_by_one(empty, EMPTY_RUNS)),
        "start_ms": lambda: start_cost(2 * EMPTY_RUNS),
        "transaction_step_ms": lambda: milliseconds(
            one_by_one(rows_in_turn, REPEATS, CHAIN), CHAIN
        ),
        "action_step_ms": lambda: milliseconds(one_by_one(actions_in_turn, REPEATS, CHAIN), CHAIN),
        "transaction_runs_per_s": lambda: per_second(rows_in_turn, runs),
        "action_runs_per_s": lambda: per_second(actions_in_turn, runs),
        "long_transaction_step_ms": lambda: milliseconds(one_by_one(rows_in_turn, 1, long), long),
        "long_action_step_ms": lambda: milliseconds(one_by_one(actions_in_turn, 1, long), long),
        "gather_s": lambda: one_by_one(gathers, 1, fan)[0],
        "map_s": lambda: one_by_one(maps, 1, fan)[0],
    }
    return {name: attempt(name, measure) for name, measure in measures.items()}
