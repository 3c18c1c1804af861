"""What runs cost that only wait: memory, threads, CPU and transactions."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psutil
from django.db import transaction

from benchmarks import options, processes
from benchmarks.stack import Stack
from benchmarks.workflow_processes import Workers
from benchmarks.workflow_rows import copy_sleeper, fetch, transactions
from benchmarks.workflow_samples import sleeps, waits
from one_project.workflows.definitions import Workflow
from one_project.workflows.services.runs import start

IDLE = 10.0  # seconds
SETTLED_WITHIN = 300.0
BATCH = 200  # runs started in one transaction
FAR = 30 * 86_400.0  # seconds
SETTLE = 11.0  # seconds; Postgres counts what idle connections did up to ten seconds late


@dataclass(frozen=True, slots=True)
class Idle:
    """The worker while nothing is to be done; CPU in milliseconds per second."""

    rss_mib: float
    threads: int
    worker_cpu_ms_s: float
    postgres_cpu_ms_s: float
    transactions_s: float


def look(stack: Stack, workers: Workers) -> Idle:
    """Watch for ten seconds."""
    time.sleep(SETTLE)
    pid = workers.running["worker-1"].pid
    postgres = stack.pids()["postgres"]
    before = transactions()
    cpu, cpu_postgres = processes.cpu_seconds(pid), processes.cpu_seconds(postgres)
    began = time.monotonic()
    time.sleep(IDLE)
    spent = time.monotonic() - began
    cpu_after, postgres_after = processes.cpu_seconds(pid), processes.cpu_seconds(postgres)
    # Ours between the two looks: the question itself, and what clears its snapshot.
    done = transactions() - before - 2
    return Idle(
        rss_mib=processes.rss_mib(pid),
        threads=psutil.Process(pid).num_threads(),
        worker_cpu_ms_s=1000 * (cpu_after - cpu) / spent,
        postgres_cpu_ms_s=1000 * (postgres_after - cpu_postgres) / spent,
        transactions_s=max(done, 0) / spent,
    )


def start_many(workflow: Workflow[..., Any], count: int, *args: Any) -> UUID | None:
    """Start them and return once each has had its first turn; returns one of them."""
    before = _suspended()
    run_id = None
    for first in range(0, count, BATCH):
        with transaction.atomic():
            for _ in range(min(BATCH, count - first)):
                run_id = start(workflow, *args).pk
    until = time.monotonic() + SETTLED_WITHIN
    while time.monotonic() < until:
        if _suspended() - before >= count:
            return run_id
        time.sleep(0.5)
    raise TimeoutError(f"{_suspended() - before} of {count} runs wait after {SETTLED_WITHIN:g} s")


def _suspended() -> int:
    query = (
        "SELECT count(*) FROM workflows_workitem"
        " WHERE status = 'waiting' AND kind IN ('sleep', 'event')"
    )
    return int(fetch(query)[0][0])


def measure_waiting(stack: Stack, workers: Workers, waiting: int, sleeping: int) -> dict[str, Any]:
    """The figures with nothing, with runs that wait for events, with sleeping ones beside them."""
    found: dict[str, Any] = {}
    options.say("  nothing to do ...")
    last = base = look(stack, workers)
    found["idle"] = _figures(base, base, 0)
    steps: list[tuple[str, int, Any]] = [
        ("waiting", waiting, lambda: start_many(waits, waiting)),
        (
            "sleeping",
            min(waiting, sleeping),
            lambda: start_many(sleeps, min(waiting, sleeping), FAR),
        ),
    ]
    sleeper = None
    for name, count, begin in steps:
        options.say(f"  {count:,} {name} ...")
        began = time.monotonic()
        try:
            sleeper = begin()
        except TimeoutError as error:
            options.say(f"    not measured: {error}")
            return found
        took = time.monotonic() - began
        seen = look(stack, workers)
        found[name] = _figures(seen, last, count) | {"begun_per_s": count / took}
        last = seen
    if sleeping > waiting and sleeper is not None:
        options.say(f"  {sleeping:,} sleeping ...")
        copy_sleeper(sleeper, sleeping - waiting)
        found["sleeping_many"] = _figures(look(stack, workers), last, sleeping)
    return found


def _figures(seen: Idle, before: Idle, count: int) -> dict[str, Any]:
    return {
        "runs": count,
        "rss_mib": seen.rss_mib,
        "rss_growth_mib": seen.rss_mib - before.rss_mib,
        "threads": seen.threads,
        "new_threads": seen.threads - before.threads,
        "worker_cpu_ms_s": seen.worker_cpu_ms_s,
        "postgres_cpu_ms_s": seen.postgres_cpu_ms_s,
        "transactions_s": seen.transactions_s,
    }
